"""Labels: names and words of the machine, made short and harmless, and written once for all figures of a row."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.line import clean

if TYPE_CHECKING:
    from dstop.model.metric import Metric

MOST_CHARS = 64
"""A command line may be as long as its author likes; a label is kept by the server for weeks."""
MOST_KEPT = 4096
"""A process keeps its names: what was written for one page is there for the next."""


class Labels(NamedTuple):
    """The labels of one or more samples."""

    names: tuple[str, ...]
    values: tuple[str, ...]
    text: str
    """As they stand in a page, with braces; empty where there are none."""


NONE = Labels((), (), "")


def word(value: str | float | None) -> str:
    """Give a label's value: empty for None, no control characters, no lone surrogates, at most `MOST_CHARS` long."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(int(value))
    text = value[:MOST_CHARS]
    return (text if text.isascii() and text.isprintable() else clean(text)).strip()


def labels_of(metric: Metric, *values: str | float | None) -> Labels:
    """Give the labels of a metric, in the order that its table has.

    Raises:
        ValueError: where the count of values is not that of the labels.
    """
    return labels(metric.labels, *values)


@lru_cache(maxsize=MOST_KEPT)
def labels(names: tuple[str, ...], *values: str | float | None) -> Labels:
    """Give labels of these names; the page has them sorted, as the library's own pages have.

    Raises:
        ValueError: where the count of values is not that of the names.
    """
    if len(values) != len(names):
        raise ValueError(f"{len(values)} values for {len(names)} labels")
    words = tuple(map(word, values))
    if not names:
        return NONE
    text = ",".join([f'{head}"{_escaped(words[at])}"' for at, head in _sorted(names)])
    return Labels(names, words, "{" + text + "}")


@lru_cache(maxsize=64)
def _sorted(names: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """Give where each value is, in the order of the names, and what is written before it."""
    return tuple((names.index(name), f"{name}=") for name in sorted(names))


def _escaped(text: str) -> str:
    r"""Write a value between quotes (OpenMetrics 1.0, ABNF `escaped-char`): `\\`, `\"`, `\n`; `clean` left no `\n`."""
    if "\\" not in text and '"' not in text:
        return text
    return text.replace("\\", r"\\").replace('"', r"\"")
