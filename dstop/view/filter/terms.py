"""What a parsed filter is made of: frozen nodes that answer yes or no to one row.

What is not known matches no term, so `not mem>10G` shows the rows without a figure: every filter and its
`not` split the table in two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Protocol

from dstop.model.value import Value
from dstop.view.filter.fields import LONGEST_TEXT, cmdline_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.view.filter.fields import Field, Subject
    from dstop.view.filter.pattern import Pattern


class Term(Protocol):
    """Anything that can stand in a filter."""

    def matches(self, subject: Subject) -> bool:
        """Say whether the row is one of those asked for."""
        ...

    def of_memory(self) -> bool:
        """Say whether it can also be asked of memory that belongs to no process."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AllOf(Value):
    """True where every part is; without parts, everywhere."""

    parts: tuple[Term, ...] = ()

    def matches(self, subject: Subject) -> bool:
        """Ask the parts, until one says no."""
        return all(part.matches(subject) for part in self.parts)

    def of_memory(self) -> bool:
        """Need it of every part."""
        return all(part.of_memory() for part in self.parts)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOf(Value):
    """True where one part is."""

    parts: tuple[Term, ...]

    def matches(self, subject: Subject) -> bool:
        """Ask the parts, until one says yes."""
        return any(part.matches(subject) for part in self.parts)

    def of_memory(self) -> bool:
        """Need it of every part: half an answer is none."""
        return all(part.of_memory() for part in self.parts)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Value):
    """True where its part is not."""

    part: Term

    def matches(self, subject: Subject) -> bool:
        """Turn the answer round."""
        return not self.part.matches(subject)

    def of_memory(self) -> bool:
        """Ask the part."""
        return self.part.of_memory()


def everywhere(subject: Subject) -> tuple[str, ...]:
    """Give the texts that a bare word or expression is looked for in."""
    facts = subject.process.facts
    known = (facts.command, facts.user, facts.container, facts.model, facts.framework)
    return (cmdline_text(subject.process), str(subject.process.pid), *(text for text in known if text))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Word(Value):
    """A bare word: part of any text of the row, in any case."""

    needle: str
    """Case-folded."""

    def matches(self, subject: Subject) -> bool:
        """Look for it in every text of the row."""
        return any(self.needle in text[:LONGEST_TEXT].casefold() for text in everywhere(subject))

    def of_memory(self) -> bool:
        """Nothing has a name there."""
        return False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Says(Value):
    """A text field that contains, or with `whole` is, one of the words."""

    field: Field
    needles: tuple[str, ...]
    """Case-folded."""
    whole: bool

    def matches(self, subject: Subject) -> bool:
        """Compare without regard to case."""
        texts = self.field.text(subject) if self.field.text else ()
        for text in texts:
            folded = text.casefold()
            if any(needle == folded if self.whole else needle in folded for needle in self.needles):
                return True
        return False

    def of_memory(self) -> bool:
        """Ask the field."""
        return self.field.of_memory


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expression(Value):
    """A regular expression, found in one text field or, without a field, in any text of the row."""

    pattern: Pattern
    field: Field | None = None

    def matches(self, subject: Subject) -> bool:
        """Search for it."""
        if self.field is None:
            texts = everywhere(subject)
        else:
            texts = self.field.text(subject) if self.field.text else ()
        return any(self.pattern.found_in(text[:LONGEST_TEXT]) for text in texts)

    def of_memory(self) -> bool:
        """Ask the field."""
        return self.field is not None and self.field.of_memory


class Operator(Enum):
    """How a number is compared."""

    AT_MOST = "<="
    AT_LEAST = ">="
    OTHER = "!="
    SAME = "=="
    BELOW = "<"
    ABOVE = ">"
    IS = "="
    HAS = ":"


COMPARE: Mapping[Operator, Callable[[float, float], bool]] = {
    Operator.AT_MOST: le,
    Operator.AT_LEAST: ge,
    Operator.OTHER: ne,
    Operator.BELOW: lt,
    Operator.ABOVE: gt,
    Operator.SAME: eq,
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compares(Value):
    """A number on one side of a bound."""

    field: Field
    operator: Operator
    bound: float

    def matches(self, subject: Subject) -> bool:
        """Compare; what is not known is on no side."""
        value = self.field.number(subject) if self.field.number else None
        return value is not None and COMPARE[self.operator](value, self.bound)

    def of_memory(self) -> bool:
        """Ask the field."""
        return self.field.of_memory


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Within(Value):
    """A number in one of some ranges, both ends included."""

    field: Field
    ranges: tuple[tuple[float, float], ...]

    def matches(self, subject: Subject) -> bool:
        """Look it up; what is not known is in no range."""
        value = self.field.number(subject) if self.field.number else None
        return value is not None and any(low <= value <= high for low, high in self.ranges)

    def of_memory(self) -> bool:
        """Ask the field."""
        return self.field.of_memory


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Knows(Value):
    """True where the field has a value at all: `has:container`, `not has:mem`."""

    field: Field

    def matches(self, subject: Subject) -> bool:
        """See whether there is one."""
        if self.field.text is not None:
            return any(self.field.text(subject))
        return self.field.number is not None and self.field.number(subject) is not None

    def of_memory(self) -> bool:
        """Ask the field."""
        return self.field.of_memory
