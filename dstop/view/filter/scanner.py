"""A filter as text with a place in it: what stands here, and how to say what is wrong with it."""

from __future__ import annotations

from dstop.errors import UsageError

LONGEST_FILTER = 500
_ENDS_WORD = frozenset("()|&")
_OPERATORS = ("<=", ">=", "!=", "==", "<", ">", "=", ":")
KEYWORDS = frozenset({"and", "or", "not"})


class Scanner:
    """Reads the pieces of a filter one by one; `at` is the offset of the next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        if len(text) > LONGEST_FILTER:
            raise UsageError(
                f"filter: {len(text)} characters are too many", fix=f"write at most {LONGEST_FILTER}"
            )

    def skip_spaces(self) -> None:
        """Go to the next character that is no space."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    @property
    def here(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.at : self.at + 1]

    def ends_here(self, at: int) -> bool:
        """Say whether a word that came to `at` ends there."""
        return at >= len(self.text) or self.text[at].isspace() or self.text[at] in _ENDS_WORD

    def keyword(self) -> str:
        """Look at the next word, lower-cased, if it is `and`, `or` or `not`; empty otherwise."""
        end = self.at
        while end < len(self.text) and self.text[end].isalpha():
            end += 1
        word = self.text[self.at : end].lower()
        return word if word in KEYWORDS and self.ends_here(end) else ""

    def field(self) -> tuple[str, str, int] | None:
        """Take a field name and its operator if they are next; give both and where the name stood.

        A `::`, as in `VLLM::EngineCore`, is part of a name and no operator.
        """
        start = end = self.at
        while end < len(self.text) and (self.text[end].isalpha() or self.text[end] in "_%"):
            end += 1
        name = self.text[start:end]
        while end < len(self.text) and self.text[end].isspace():
            end += 1
        if not name or self.text.startswith("::", end):
            return None
        for operator in _OPERATORS:
            if self.text.startswith(operator, end):
                self.at = end + len(operator)
                return name.lower(), operator, start
        return None

    def regex(self) -> str | None:
        """Take `/…/` if it is next: the closing slash has a space, a bracket or the end behind it."""
        end = self.at
        while self.text.startswith("/", self.at) and (end := self.text.find("/", end + 1)) > 0:
            if self.ends_here(end + 1) and not _escaped(self.text, end):
                pattern = self.text[self.at + 1 : end]
                self.at = end + 1
                return pattern.replace("\\/", "/") or None
        return None

    def quoted(self) -> str | None:
        """Take a quoted text if it is next."""
        quote = self.here
        if quote not in {'"', "'"}:
            return None
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise self.wrong(f"a {quote} that is not closed", fix=f"write another {quote} after the text")
        text = self.text[self.at + 1 : end]
        self.at = end + 1
        return text

    def word(self) -> str:
        """Take what is next, up to a space, a bracket, `|` or `&`."""
        start = self.at
        while not self.ends_here(self.at):
            self.at += 1
        return self.text[start : self.at]

    def wrong(self, what: str, *, fix: str | None, at: int | None = None) -> UsageError:
        """Make the error that names the column, counted from 1."""
        column = (self.at if at is None else at) + 1
        return UsageError(f"filter: {what} at column {column}", fix=fix)


def _escaped(text: str, at: int) -> bool:
    backslashes = 0
    while at - backslashes > 0 and text[at - backslashes - 1] == "\\":
        backslashes += 1
    return backslashes % 2 == 1
