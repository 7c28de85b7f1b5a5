"""From the text of a filter to a value that answers for each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.errors import UsageError
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.view.filter.fields import Field, Kind, Subject, by_name, fields
from dstop.view.filter.pattern import Pattern, compile_pattern
from dstop.view.filter.scanner import Scanner
from dstop.view.filter.syntax import PatternError
from dstop.view.filter.terms import (
    AllOf,
    AnyOf,
    Compares,
    Expression,
    Knows,
    Not,
    Operator,
    Says,
    Within,
    Word,
)
from dstop.view.filter.values import number_of, ranges_of

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.model.unattributed import Unattributed
    from dstop.view.filter.terms import Term

ALL = AllOf()
DEEPEST = 32
"""Brackets within brackets: nobody means more, and each costs a call."""
_NOBODY = ProcessFacts(pid=0)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are asked for. Equal filters ask for the same, whatever their spaces."""

    text: str = field(default="", compare=False)
    root: Term = ALL

    def __bool__(self) -> bool:
        return self.root != ALL

    def matches(self, process: GpuProcess, gpu: Gpu | None = None, *, now_ns: int | None = None) -> bool:
        """Say whether the row is asked for.

        Without `gpu`, `share` and `card` are not known; without `now_ns` (since the epoch), `age` is not.
        """
        return self.root.matches(Subject(process, gpu, now_ns))

    def matches_unattributed(self, unattributed: Unattributed, gpu: Gpu | None = None) -> bool:
        """Say the same of memory that is nobody's.

        It has a GPU and a size; a filter that asks for a user, a PID or a command does not mean it.
        """
        if not self.root.of_memory():
            return False
        nobody = GpuProcess(
            gpu_index=unattributed.gpu_index, pid=0, gpu_memory_bytes=unattributed.bytes, facts=_NOBODY
        )
        return self.matches(nobody, gpu)


EVERYTHING = Filter()


def parse(text: str) -> Filter:
    """Read a filter; an empty one asks for every row.

    Raises:
        UsageError: with the column where it stops making sense, and what may stand there.
    """
    parser = _Parser(text)
    return Filter(text.strip(), parser.whole())


class _Parser:
    """Recursive descent: either > all of > one > term."""

    def __init__(self, text: str) -> None:
        self.scan = Scanner(text)
        self.depth = 0

    def whole(self) -> Term:
        self.scan.skip_spaces()
        if not self.scan.here:
            return ALL
        root = self.either()
        if self.scan.here:
            raise self.scan.wrong("a ) that was not opened", fix="remove it, or quote it to search for it")
        return root

    def either(self) -> Term:
        parts = [self.all_of()]
        while self.joined("or", "|"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def all_of(self) -> Term:
        parts = [self.one()]
        while self.joined("and", "&") or not self.at_end_of_row():
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def joined(self, word: str, sign: str) -> bool:
        """Take a joining word or sign (also doubled, as in C) if it is next."""
        scan = self.scan
        scan.skip_spaces()
        if scan.keyword() == word:
            scan.at += len(word)
            return True
        if scan.here == sign:
            scan.at += 2 if scan.text.startswith(sign * 2, scan.at) else 1
            return True
        return False

    def at_end_of_row(self) -> bool:
        scan = self.scan
        scan.skip_spaces()
        return scan.here in {"", ")", "|"} or scan.keyword() == "or"

    def one(self) -> Term:
        """Read a term with the negations before it."""
        scan, negative = self.scan, False
        while True:
            scan.skip_spaces()
            if scan.keyword() == "not":
                scan.at += len("not")
            elif scan.here == "!" or self.at_minus():
                scan.at += 1
            else:
                break
            negative = not negative
        term = self.term()
        return Not(term) if negative else term

    def at_minus(self) -> bool:
        """Tell `-user:root` and `-(…)`, which negate, from `--lr` and `-m`, which are looked for."""
        scan = self.scan
        if scan.here != "-":
            return False
        start, scan.at = scan.at, scan.at + 1
        negates = scan.here == "(" or scan.field() is not None
        scan.at = start
        return negates

    def term(self) -> Term:
        scan = self.scan
        start = scan.at
        if scan.here == "(":
            return self.bracket()
        if (source := scan.regex()) is not None:
            return Expression(self.pattern(source, start))
        if (text := scan.quoted()) is not None:
            return Word(text.casefold())
        if scan.keyword() == "" and (found := scan.field()) is not None:
            return self.asked(*found)
        word = "" if scan.keyword() else scan.word()
        if not word:
            what = f"{scan.keyword() or scan.here!r}" if scan.here else "the end"
            raise scan.wrong(f"{what} where a term is missing", fix="write a word, field:value, or (…)")
        return Word(word.casefold())

    def bracket(self) -> Term:
        start = self.scan.at
        if self.depth >= DEEPEST:
            raise self.scan.wrong("too many brackets within brackets", fix=f"use at most {DEEPEST}")
        self.scan.at += 1
        self.depth += 1
        term = self.either()
        self.depth -= 1
        if self.scan.here != ")":
            raise self.scan.wrong("a ( that is not closed", fix="write a ) after its terms", at=start)
        self.scan.at += 1
        return term

    def pattern(self, source: str, start: int) -> Pattern:
        try:
            return compile_pattern(source)
        except PatternError as error:
            at = start + 1 + error.offset
            raise self.scan.wrong(
                f"the regular expression has {error}", fix="quote the text to find it as it is", at=at
            ) from None

    def asked(self, name: str, sign: str, at: int) -> Term:
        """Read the value of a field and make the term."""
        if name == "has" and sign in {":", "="}:
            return Knows(self.field(self.value(name), at + len("has") + 1))
        found = self.field(name, at)
        operator = Operator(sign)
        if found.number is not None:
            return self.number(found, operator)
        if operator not in {Operator.HAS, Operator.IS, Operator.SAME, Operator.OTHER}:
            raise self.scan.wrong(f"{name} has no order", fix=f"write {found.example}", at=at)
        return self.text(found, operator)

    def field(self, name: str, at: int) -> Field:
        found = by_name().get(name.lower())
        if found is not None:
            return found
        from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

        near = get_close_matches(name.lower(), [*by_name(), "has"], n=1)
        known = ", ".join(each.name for each in fields())
        fix = (
            f"did you mean {near[0]}?" if near else f"use one of {known}, or quote the text to search for it"
        )
        raise self.scan.wrong(f"unknown field {name[:20]!r}", fix=fix, at=at)

    def value(self, name: str) -> str:
        scan = self.scan
        scan.skip_spaces()
        value = scan.quoted()
        if value is None:
            value = scan.word()
        if not value:
            raise scan.wrong(f"{name} needs a value", fix="write one, or quote the text to search for it")
        return value

    def number(self, found: Field, operator: Operator) -> Term:
        self.scan.skip_spaces()
        start = self.scan.at
        value = self.value(found.name)
        try:
            if operator in {Operator.HAS, Operator.IS}:
                return Within(found, ranges_of(found.kind, value))
            return Compares(found, operator, number_of(found.kind, value))
        except ValueError:
            fix = f"write {found.kind.value}, as in {found.example}"
            raise self.scan.wrong(f"{value[:20]!r} is no value of {found.name}", fix=fix, at=start) from None

    def text(self, found: Field, operator: Operator) -> Term:
        scan = self.scan
        scan.skip_spaces()
        start = scan.at
        negative = operator is Operator.OTHER
        if found.kind is Kind.TEXT and (source := scan.regex()) is not None:
            term: Term = Expression(self.pattern(source, start), found)
            return AllOf((Knows(found), Not(term))) if negative else term
        quoted = scan.here in {'"', "'"}
        value = self.value(found.name)
        needles = (value,) if quoted else tuple(part for part in value.split(",") if part)
        if found.choices and any(needle.upper() not in found.choices for needle in needles):
            fix = f"write one of {', '.join(found.choices)}"
            raise scan.wrong(f"{value[:20]!r} is no {found.name}", fix=fix, at=start)
        if not needles:
            raise scan.wrong(f"{found.name} needs a value", fix=f"write {found.example}", at=start)
        whole = bool(found.choices) or operator is not Operator.HAS
        term = Says(found, tuple(needle.casefold() for needle in needles), whole)
        return AllOf((Knows(found), Not(term))) if negative else term


__all__ = ["DEEPEST", "EVERYTHING", "Filter", "UsageError", "parse"]
