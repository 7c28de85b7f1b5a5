"""What a plugin may implement: each hook says when it is asked, how long it may take, and what its answer is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture
    from dstop.model.process import ProcessFacts
    from dstop.sources import Source

GROUP = "dstop"
"""The group of entry points, and the name of pluggy's marker."""


class Hooks:
    """The hookspecs. Implement any of them with `pluggy.HookimplMarker("dstop")`; take only the arguments you need."""

    def sources(self) -> Mapping[str, Callable[[], Source]]:  # type: ignore[empty-body]
        """Give places that samples can come from, for `dstop --source NAME`: name -> what opens it."""

    def labels(self, process: ProcessFacts, environ: Mapping[str, str]) -> Mapping[str, str] | None:
        """Say what a process is, from its facts and its environment (empty where it may not be read).

        Called once for each process, not for each reading; all new processes of a reading within two seconds.
        """

    def figures(self, process: ProcessFacts, environ: Mapping[str, str]) -> Mapping[str, float | str] | None:
        """Give figures that a process tells of itself, with the unit in the name: `kv_cache_pct`.

        Called again and again, every two seconds, in a thread of the plugin's own; one round over all processes
        within ten seconds. A text instead of a number says why there is none. None where the process is none of yours.
        """

    def rules(self) -> Sequence[Any]:  # type: ignore[empty-body]
        """Give rules (`dstop.doctor.rule.Rule`) with numbers of your own: two letters, not DS, and three digits.

        The first digit is the family, as of ours (`dstop.doctor.rule.FAMILIES`). A rule looks at a crash (`examine`),
        at a running machine (`watch`), or both; each question is to be answered within two seconds.
        """

    def evidence(  # type: ignore[empty-body]
        self, name: str, lines: Sequence[str]
    ) -> Iterable[tuple[int, str, Mapping[str, int | float | str]]]:
        """Find messages in a log: (number of the line from 0, kind such as `slurm.time_limit`, figures in it).

        Rules ask for them by their kind: `case.first("slurm.time_limit")`. Called once for each log, within ten
        seconds; lines come without escape sequences. Beware of regular expressions that backtrack: Python cannot be
        stopped in one.
        """

    def models(self) -> Mapping[str, Callable[[Fields, str], Architecture]]:  # type: ignore[empty-body]
        """Give readers of config.json for families that dstop has none for: `model_type` -> what reads it.

        The reader gets the fields and the `model_type`, and gives the architecture, as `dstop.footprint` has them.
        """


NAMES = ("sources", "labels", "figures", "rules", "evidence", "models")
"""Every hook."""
