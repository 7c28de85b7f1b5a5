"""The base of frozen values: equality, hash and text written once, instead of compiled anew for every class.

`dataclasses` compiles eight methods a class; leaving these three out saves about half a millisecond of each class, at
every start. Subclasses are `@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)`.
"""

from __future__ import annotations


class Value:
    """Compares, hashes and prints by its fields, as a dataclass does."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self):
            return NotImplemented
        names: tuple[str, ...] = self.__slots__
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self) -> int:
        names: tuple[str, ...] = self.__slots__
        return hash(tuple(getattr(self, name) for name in names))

    def __repr__(self) -> str:
        names: tuple[str, ...] = self.__slots__
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({fields})"
