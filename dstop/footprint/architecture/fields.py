"""Reads single fields of a config.json: what is missing, of another kind or absurd is refused by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.spec.fields import count, shown, switch

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = {
    "hidden": 1_000_000,
    "width": 10_000_000,
    "layers": 2_000,
    "heads": 100_000,
    "head_dim": 100_000,
    "experts": 100_000,
    "vocab": 100_000_000,
    "positions": 10_000_000_000,
}
"""Bounds by kind of field: three orders above the largest model known, so that sums stay sums and loops end."""


class Fields:
    """A config, field by field. Later names of a field are what other families call it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def __contains__(self, name: str) -> bool:
        return self.config.get(name) is not None

    def maybe(self, kind: str, *names: str, least: int = 1) -> int | None:
        """Give a whole number, None where no name of it is there.

        Raises:
            PlanError: it is no whole number or out of the bounds of its kind.
        """
        for name in names:
            found = count(self.config, name, MOST[kind], least=least)
            if found is not None:
                return found
        return None

    def count(self, kind: str, *names: str, default: int | None = None, least: int = 1) -> int:
        """Give a whole number.

        Raises:
            PlanError: as `maybe`; or it is missing and has no default.
        """
        found = self.maybe(kind, *names, least=least)
        if found is not None:
            return found
        if default is None:
            raise PlanError(
                f"model: the config has no {names[0]}",
                fix="use the config.json of the model as it was published",
            )
        return default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Give true or false; `default` where it is not said.

        Raises:
            PlanError: it is something else.
        """
        found = switch(self.config, name)
        return default if found is None else found

    def share(self, name: str, default: float = 0.0) -> float:
        """Give a number from 0 to 1, such as a dropout.

        Raises:
            PlanError: it is something else.
        """
        value = self.config.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise PlanError(f"{name}: {shown(value)} is no share", fix="a number from 0 to 1, such as 0.1")
        return float(value)

    def word(self, *names: str, default: str = "") -> str:
        """Give a short text.

        Raises:
            PlanError: it is no text, or a long one.
        """
        for name in names:
            value = self.config.get(name)
            if value is None:
                continue
            if not isinstance(value, str) or not 0 < len(value) <= 80 or not value.isprintable():  # noqa: PLR2004
                raise PlanError(f"{name}: {shown(value)} is no name", fix="a short text")
            return value
        return default

    def each(self, name: str, layers: int) -> list[Any] | None:
        """Give a list with one entry a layer; None where it is not there.

        Raises:
            PlanError: it is no list, or not of that length.
        """
        value = self.config.get(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != layers:
            raise PlanError(f"{name}: {shown(value)} is no list of {layers}", fix="one entry for each layer")
        return list(value)

    def refuse(self, name: str, why: str, fix: str) -> PlanError:
        """Make the error for a field whose value cannot be."""
        return PlanError(f"{name}: {shown(self.config.get(name))} {why}", fix=fix)
