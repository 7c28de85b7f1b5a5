"""Regular expressions as text: from what a person typed to a small tree, in the syntax of Python's `re`.

What needs more than one pass over the text (backreferences, look-around) is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dstop.model.value import Value

LONGEST_PATTERN = 80
MOST_REPEATS = 200


class PatternError(ValueError):
    """The text is no regular expression; `offset` is the place in it, in characters."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Position(Enum):
    """A place between characters."""

    START = "^"
    END = "$"
    EDGE = r"\b"
    INSIDE = r"\B"


class Class(Enum):
    """A family of characters, by the letter that names it."""

    DIGIT = "d"
    WORD = "w"
    SPACE = "s"

    def has(self, character: str) -> bool:
        """Say whether the character is of the family."""
        if self is Class.DIGIT:
            return character.isdecimal()
        return is_word(character) if self is Class.WORD else character.isspace()


def is_word(character: str) -> bool:
    r"""Say whether `\w` matches."""
    return character.isalnum() or character == "_"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Chars(Value):
    """One character out of a set; case does not matter."""

    ranges: tuple[tuple[str, str], ...] = ()
    classes: tuple[tuple[Class, bool], ...] = ()
    """Each with whether it is wanted (`\\d`) or unwanted (`\\D`)."""
    negated: bool = False

    def has(self, character: str) -> bool:
        """Say whether the character is in the set."""
        forms = (character, character.lower(), character.upper())
        inside = any(low <= form <= high for low, high in self.ranges for form in forms) or any(
            family.has(character) == wanted for family, wanted in self.classes
        )
        return inside != self.negated


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Row(Value):
    """One part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Either(Value):
    """One of some parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Repeat(Value):
    """A part some times over; `most` is None where there is no end."""

    part: Node
    least: int
    most: int | None


Node = Chars | Row | Either | Repeat | Position

ANY = Chars(ranges=(("\n", "\n"),), negated=True)
_ALONE: dict[str, Node] = {".": ANY, "^": Position.START, "$": Position.END}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}
_POSITIONS = {"b": Position.EDGE, "B": Position.INSIDE, "A": Position.START, "Z": Position.END}


def parse_pattern(text: str) -> Node:
    """Read a regular expression.

    Raises:
        PatternError: when it is none, or one that is not supported.
    """
    if len(text) > LONGEST_PATTERN:
        raise PatternError(f"longer than {LONGEST_PATTERN} characters", LONGEST_PATTERN)
    reader = _Reader(text)
    node = reader.either()
    if reader.at < len(text):
        raise PatternError("a ) that was not opened", reader.at)
    return node


class _Reader:
    """Recursive descent; the pattern is short, so the recursion is shallow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, expected: str) -> bool:
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def either(self) -> Node:
        parts = [self.row()]
        while self.take("|"):
            parts.append(self.row())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def row(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            part = self.atom()
            parts.append(self.repeated(part))
        return Row(tuple(parts))

    def atom(self) -> Node:
        start = self.at
        character = self.text[start]
        if self.counts() is not None:
            raise PatternError(f"nothing before {character} to repeat", start)
        self.at += 1
        if character in _ALONE:
            return _ALONE[character]
        match character:
            case "(":
                return self.group(start)
            case "[":
                return self.set(start)
            case "\\":
                return self.escape(start)
        return Chars(((character, character),))

    def group(self, start: int) -> Node:
        if self.text.startswith("?", self.at) and not self.take("?:"):
            raise PatternError("only (…) and (?:…) are supported, no look-around and no names", start)
        node = self.either()
        if not self.take(")"):
            raise PatternError("a ( that is not closed", start)
        return node

    def escape(self, start: int) -> Node:
        if self.at == len(self.text):
            raise PatternError("a \\ with nothing after it", start)
        letter = self.text[self.at]
        if letter in _POSITIONS:
            self.at += 1
            return _POSITIONS[letter]
        chars = self.escaped(start)
        return Chars(((chars, chars),)) if isinstance(chars, str) else Chars(classes=(chars,))

    def escaped(self, start: int) -> str | tuple[Class, bool]:
        """Read what follows a backslash where it stands for characters."""
        letter = self.text[self.at]
        self.at += 1
        if letter in "dwsDWS":
            return Class(letter.lower()), letter.islower()
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isalnum():
            raise PatternError(f"\\{letter} is not supported", start)
        return letter

    def set(self, start: int) -> Node:
        negated = self.take("^")
        ranges: list[tuple[str, str]] = []
        classes: list[tuple[Class, bool]] = []
        first = True
        while first or not self.text.startswith("]", self.at):
            first = False
            low = self.member(start)
            if isinstance(low, tuple):
                classes.append(low)
                continue
            high: str | tuple[Class, bool] = low
            if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                self.at += 1
                high = self.member(start)
            if isinstance(high, tuple) or high < low:
                raise PatternError("a range in […] that has no order", start)
            ranges.append((low, high))
        self.at += 1
        return Chars(tuple(ranges), tuple(classes), negated)

    def member(self, start: int) -> str | tuple[Class, bool]:
        if self.at >= len(self.text):
            raise PatternError("a [ that is not closed", start)
        character = self.text[self.at]
        self.at += 1
        if character != "\\":
            return character
        if self.at >= len(self.text):
            raise PatternError("a \\ with nothing after it", self.at - 1)
        return self.escaped(self.at - 1)

    def repeated(self, part: Node) -> Node:
        start = self.at
        counts = self.counts()
        if counts is None:
            return part
        if isinstance(part, Position):
            raise PatternError("a place between characters cannot repeat", start)
        self.take("?")  # a lazy repeat finds the same rows
        after = self.at
        if self.counts() is not None:
            raise PatternError("a repeat of a repeat", after)
        return Repeat(part, *counts)

    def counts(self) -> tuple[int, int | None] | None:
        start = self.at
        for sign, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return counts
        end = self.text.find("}", start)
        if not self.text.startswith("{", start) or end < 0:
            return None
        low, comma, high = self.text[start + 1 : end].partition(",")
        if not _is_count(low or "0") or not _is_count(high or "0") or not (low or comma):
            return None  # a plain brace, as in `re`
        self.at = end + 1
        least = int(low or "0")
        most = (int(high) if high else None) if comma else least
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise PatternError(f"counts in {{…}} go from low to high, to {MOST_REPEATS} at most", start)
        return least, most


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit()
