"""How often the doctor is right, on labelled crash logs.

    python benchmarks/doctor_accuracy.py tests/doctor/corpus/serving.json [FILE OR FOLDER ...]

A file holds labels with their logs, a folder `labels.json` and one log a case. A case's cause is right when it is the
label's, or one that the label calls acceptable for a careful reader of the log alone; a fix is right when one of the
first three is among the accepted ones. Of a warning from a run that went on, no diagnosis is right, too. `--misses`
lists what is not.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.text.read import log_of_text, read_log

if TYPE_CHECKING:
    from dstop.doctor.text.values import LogText

NOT_MEMORY = frozenset(
    (
        "not_memory",
        "benign_warning",
        "nccl_timeout",
        "cuda_illegal_access",
        "device_assert",
        "driver_mismatch",
        "hardware_xid",
    )
)
NEGATIVE = frozenset(("not_memory", "benign_warning"))
FIRST_FIXES = 3


@dataclass(frozen=True)
class Outcome:
    """One case, and what the doctor made of it."""

    id: str
    evidence: str
    wanted: str
    got: str | None
    rule: str | None
    fixes: tuple[str, ...]
    is_cause_right: bool
    is_exact: bool
    is_fix_right: bool
    is_false_alarm: bool
    """A memory diagnosis where there is no memory trouble."""


def outcome_of(label: dict[str, Any], log: LogText) -> Outcome:
    """Diagnose one log and hold it against its label."""
    report = diagnose_logs([log])
    first = report.diagnoses[0] if report.diagnoses else None
    got = None if first is None else first.cause
    fixes = () if first is None else tuple(fix.id for fix in first.fixes[:FIRST_FIXES])
    silent = got is None and label["cause"] == "benign_warning"
    return Outcome(
        id=label["id"],
        evidence=label["log_evidence"],
        wanted=label["cause"],
        got=got,
        rule=None if first is None else first.rule,
        fixes=fixes,
        is_cause_right=silent or got in {label["cause"], *label["also_acceptable"]},
        is_exact=silent or got == label["cause"],
        is_fix_right=silent or bool(set(fixes) & set(label["accepted_fixes"])),
        is_false_alarm=label["cause"] in NEGATIVE and got is not None and got not in NOT_MEMORY,
    )


def outcomes_of(place: Path) -> list[Outcome]:
    """Diagnose every labelled log of a folder or a file."""
    if place.is_dir():
        labels = json.loads((place / "labels.json").read_text())
        return [outcome_of(label, read_log(place / f"{label['id']}.log")) for label in labels]
    labels = json.loads(place.read_text())
    return [outcome_of(label, log_of_text(label["log"], f"{label['id']}.log")) for label in labels]


def main() -> None:
    """Print the shares of each folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--misses", action="store_true")
    wanted = parser.parse_args()
    for place in wanted.places:
        outcomes = outcomes_of(place)
        negatives = sum(one.wanted in NEGATIVE for one in outcomes)
        alarms = sum(one.is_false_alarm for one in outcomes)
        print(f"{place}: {len(outcomes)} logs, {alarms} false alarms of {negatives} negatives")
        for evidence, count in Counter(one.evidence for one in outcomes).most_common():
            of_kind = [one for one in outcomes if one.evidence == evidence]
            shares = {
                "cause": sum(one.is_cause_right for one in of_kind),
                "exact": sum(one.is_exact for one in of_kind),
                "fix": sum(one.is_fix_right for one in of_kind),
            }
            text = ", ".join(
                f"{name} {right} ({100 * right / count:.0f} %)" for name, right in shares.items()
            )
            print(f"  log evidence {evidence}: {count}; right: {text}")
        for one in outcomes if wanted.misses else ():
            if not (one.is_cause_right and one.is_fix_right):
                fixes = ", ".join(one.fixes)
                print(f"  {one.id} [{one.evidence}] is {one.wanted}, said {one.got} ({one.rule}): {fixes}")


if __name__ == "__main__":
    main()
