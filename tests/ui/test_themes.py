"""The colours of every theme can be read, and mono says the same without them."""

from __future__ import annotations

import pytest

from dstop.draw.palette import PALETTES
from dstop.model.study import CATEGORIES

TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 2.9
"""WCAG 2.2: 4.5 for text (1.4.3), 3 for shapes (1.4.11); the reserved part of a bar has its own pattern too."""
SHAPES = {
    "seg.a", "seg.b", "seg.unattributed", "seg.reserved", "seg.cached", "seg.not_torch", "seg.pending", "seg.private",
    "graph.above", *(f"cat.{name}" for name in CATEGORIES),
}  # fmt: skip
PAPER = {"seg.free"}
"""What is not there: a thin line that may be faint."""
COLOURED = [name for name in PALETTES if name != "mono"]


def luminance(colour):
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """Contrast ratio of two colours (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(palette, role):
    """Give the colour of a role and of what is behind it."""
    ground = palette[""].partition(" on ")[2]
    front, _, back = palette[role].partition(" on ")
    return front.split()[-1], back or ground


@pytest.mark.parametrize("theme", COLOURED)
def test_text_and_shapes_can_be_read(theme):
    """Each role has the contrast that its kind needs."""
    palette = PALETTES[theme]
    for role in palette.keys() - PAPER:
        least = SHAPE_CONTRAST if role in SHAPES else TEXT_CONTRAST
        assert contrast(*colours(palette, role)) >= least, role


def test_every_theme_has_the_same_roles():
    """No role is without a look in any theme."""
    assert len({frozenset(palette) for palette in PALETTES.values()}) == 1


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("selected", "head"), ("selected", "mine"), ("tagged", "mine"), ("tagged", "other"), ("mine", "other"),
        ("seg.a", "seg.b"), ("seg.a", "seg.cached"), ("graph.memory", "graph.above"),
        ("seg.a", "seg.private"), ("head", "head.sorted"), ("badge", "badge.bad"), ("key", "bar"), ("group", "other"),
    ],
)  # fmt: skip
def test_what_differs_looks_different(theme, one, other):
    """In every theme, also in the one without colours."""
    assert PALETTES[theme][one] != PALETTES[theme][other]
