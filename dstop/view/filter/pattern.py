"""Regular expressions whose time grows with the length of the text and no faster, whatever the text.

Python's `re` backtracks: `(a+)+$` against one command line that another user chose would stop the screen for
good. This follows all alternatives at once (Thompson, 1968) and remembers each step: one look-up a character.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dstop.view.filter.syntax import (
    Chars,
    Either,
    Node,
    PatternError,
    Position,
    Repeat,
    Row,
    is_word,
    parse_pattern,
)

MOST_STATES = 1000
_MOST_STEPS = 4096
"""Steps that are remembered; past it the memory starts anew, as it would in a hostile text."""


@dataclass(slots=True)
class _State:
    """A place in the expression: it reads one character, or leads on without reading."""

    chars: Chars | None = None
    after: int = 0
    """Where `chars` leads."""
    leads: tuple[int, ...] = ()
    only_at: Position | None = None


class _Automaton:
    """The expression as states; state 0 is the end."""

    def __init__(self, node: Node) -> None:
        self.states = [_State()]
        self.start = self._add(node, 0)
        self.steps: dict[tuple[frozenset[int], str | None, str | None], frozenset[int] | None] = {}

    def _new(self, state: _State) -> int:
        if len(self.states) >= MOST_STATES:
            raise PatternError("its repeats make it too large", 0)
        self.states.append(state)
        return len(self.states) - 1

    def _add(self, node: Node, then: int) -> int:
        """Build the states of a node that lead to `then`; give the first."""
        match node:
            case Chars():
                return self._new(_State(chars=node, after=then))
            case Position():
                return self._new(_State(leads=(then,), only_at=node))
            case Row():
                for part in reversed(node.parts):
                    then = self._add(part, then)
                return then
            case Either():
                return self._new(_State(leads=tuple(self._add(part, then) for part in node.parts)))
            case Repeat():
                return self._repeat(node, then)

    def _repeat(self, node: Repeat, then: int) -> int:
        first = then
        if node.most is None:
            first = self._new(_State())
            self.states[first].leads = (self._add(node.part, first), then)
        for _ in range((node.most or 0) - node.least):
            first = self._new(_State(leads=(self._add(node.part, first), then)))
        for _ in range(node.least):
            first = self._add(node.part, first)
        return first

    def step(self, here: frozenset[int], before: str | None, character: str | None) -> frozenset[int] | None:
        """Read one character (None is the end); give the states after it, or None once all is found.

        `before` says what stood before: None at the start, `w` a word's character, `-` another.
        """
        reached: set[int] = set()
        todo = [*here, self.start]
        while todo:
            number = todo.pop()
            state = self.states[number]
            if number in reached or (state.only_at and not _stands(state.only_at, before, character)):
                continue
            if number == 0:
                return None
            reached.add(number)
            todo.extend(state.leads)
        if character is None:
            return frozenset()
        return frozenset(
            self.states[number].after
            for number in reached
            if (chars := self.states[number].chars) and chars.has(character)
        )


def _stands(position: Position, before: str | None, character: str | None) -> bool:
    """Say whether the place between two characters is such a place."""
    if position is Position.START:
        return before is None
    if position is Position.END:
        return character is None
    edge = (before == "w") != (character is not None and is_word(character))
    return edge == (position is Position.EDGE)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, made by `compile_pattern`; two of the same source are equal."""

    source: str
    automaton: _Automaton = field(repr=False, compare=False)

    def found_in(self, text: str) -> bool:
        """Say whether it matches anywhere in the text, without regard to case."""
        machine = self.automaton
        here: frozenset[int] = frozenset()
        before: str | None = None
        for character in (*text, None):
            key = (here, before, character)
            try:
                then = machine.steps[key]
            except KeyError:
                if len(machine.steps) >= _MOST_STEPS:
                    machine.steps.clear()
                then = machine.steps[key] = machine.step(here, before, character)
            if then is None:
                return True
            here = then
            before = "w" if character is not None and is_word(character) else "-"
        return False


def compile_pattern(source: str) -> Pattern:
    """Make a pattern of what a person typed.

    Raises:
        PatternError: when it is no regular expression, or one that needs backtracking.
    """
    return Pattern(source, _Automaton(parse_pattern(source)))
