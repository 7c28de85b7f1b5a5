"""The catalogue in the README is that of the rules."""

from __future__ import annotations

from pathlib import Path

from dstop.doctor.rules import RULES
from dstop.draw.rule_page import catalogue_markdown

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_lists_every_rule():
    """`dstop explain --markdown` between its marks, word for word."""
    text = README.read_text()
    block = text.split("<!-- rules: dstop explain --markdown -->\n")[1].split("<!-- /rules -->")[0]
    assert block == catalogue_markdown(RULES) + "\n"
