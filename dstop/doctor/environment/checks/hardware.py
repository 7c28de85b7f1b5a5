"""Are the cards well, and set as one wants them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import answering, card_list, cards, counted, on_host
from dstop.doctor.environment.values import CheckStatus, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Board, Facts
    from dstop.doctor.environment.values import Check
    from dstop.model.gpu import Gpu

_STATE = Question("hardware.state", "state of the cards", "NVML")
_ERRORS = Question("hardware.ecc_errors", "uncorrected memory errors", "NVML")
_ECC = Question("hardware.ecc_mode", "ECC", "NVML")
_ROWS = Question("hardware.bad_rows", "bad memory rows and pages", "NVML")
_PERSISTENCE = Question("hardware.persistence", "persistence mode", "NVML")
_COMPUTE = Question("hardware.compute_mode", "compute mode", "NVML")
_MIG = Question("hardware.mig", "MIG", "NVML")

_NO_ECC = "these cards have no ECC"


def state(facts: Facts) -> Iterator[Check]:
    """Say once that nothing of the cards is known, instead of ten times."""
    if not answering(facts):
        yield _STATE.unknown("no card can be asked, as the driver gives no figures")


def memory_errors(facts: Facts) -> Iterator[Check]:
    """Errors that reached a program, and repairs that wait for a reset or failed."""
    gpus = answering(facts)
    hit = [gpu for gpu in gpus if gpu.ecc_uncorrected]
    if hit:
        total = sum(gpu.ecc_uncorrected or 0 for gpu in hit)
        yield _ERRORS.fails(
            f"{total} since the driver was loaded, on {_named(hit, facts)}: jobs there crash or compute wrong",
            _reset(hit),
            total,
        )
    elif gpus:
        counts = [gpu for gpu in gpus if gpu.ecc_uncorrected is not None]
        yield _ERRORS.passes("none" if counts else f"not counted: {_NO_ECC}", 0 if counts else None)
    failed = [gpu for gpu in gpus if gpu.remapped_rows_failed]
    retired = {board.index for board in facts.boards.boards if board.retired_pages_pending}
    waiting = [gpu for gpu in gpus if gpu.remapped_rows_pending or gpu.index in retired]
    if failed:
        yield _ROWS.fails(
            f"remapping failed on {_named(failed, facts)}: the card is out of spare rows and due for replacement",
            f"nvidia-smi -q -d ROW_REMAPPER,PAGE_RETIREMENT -i {failed[0].index}",
            len(failed),
        )
    elif waiting:
        yield _ROWS.warns(
            f"{_named(waiting, facts)} wait{'s' if len(waiting) == 1 else ''} for a reset to leave bad memory out:"
            " until then it may be hit again",
            _reset(waiting),
            len(waiting),
        )
    elif gpus:
        yield _ROWS.passes("none waits for a reset", 0)


def ecc(facts: Facts) -> Iterator[Check]:
    """Say whether errors would be noticed at all."""
    boards = facts.boards.boards
    if not boards:
        if answering(facts):
            yield _ECC.unknown(facts.boards.reason or "NVML was not asked", "nvidia-smi -q -d ECC")
        return
    changing = [board for board in boards if board.ecc_pending not in {None, board.ecc_current}]
    off = [board for board in boards if board.ecc_current is False]
    if changing:
        yield _ECC.warns(
            f"changes on {_indices(changing, facts)} with the next reset: memory and speed are others then",
            f"nvidia-smi -q -d ECC -i {changing[0].index}",
            len(changing),
        )
    elif off:
        yield _ECC.warns(
            f"off on {_indices(off, facts)}: a flipped bit becomes a wrong result that nobody notices",
            f"sudo nvidia-smi -i {card_list(off)} -e 1  # takes effect after a reset",
            len(off),
        )
    else:
        yield _ECC.passes("on" if any(board.ecc_current for board in boards) else _NO_ECC)


def modes(facts: Facts) -> Iterator[Check]:
    """Persistence, compute mode, and MIG."""
    gpus = answering(facts)
    idle = [gpu for gpu in gpus if gpu.persistence_mode is False]
    if idle:
        yield _PERSISTENCE.warns(
            f"off on {_named(idle, facts)}: each first program waits seconds for the driver, and settings get lost",
            f"sudo nvidia-smi -i {card_list(idle)} -pm 1{on_host(facts)}",
            len(idle),
        )
    elif any(gpu.persistence_mode for gpu in gpus):
        yield _PERSISTENCE.passes("on")
    prohibited = [gpu for gpu in gpus if gpu.compute_mode == "prohibited"]
    alone = [gpu for gpu in gpus if (gpu.compute_mode or "").startswith("exclusive")]
    chosen = prohibited or alone
    if chosen:
        cost = (
            "no CUDA program starts there" if prohibited else "a second process there finds the device busy"
        )
        yield _COMPUTE.judged(
            CheckStatus.FAIL if prohibited else CheckStatus.WARN,
            f"{chosen[0].compute_mode} on {_named(chosen, facts)}: {cost}",
            f"sudo nvidia-smi -i {card_list(chosen)} -c 0{on_host(facts)}",
            chosen[0].compute_mode,
        )
    elif any(gpu.compute_mode for gpu in gpus):
        yield _COMPUTE.passes("default")


def mig(facts: Facts) -> Iterator[Check]:
    """A sliced card gives a job one slice at most."""
    gpus = answering(facts)
    sliced = [gpu for gpu in gpus if gpu.mig_enabled]
    empty = [gpu for gpu in sliced if not gpu.mig]
    if empty:
        yield _MIG.fails(
            f"on without an instance on {_named(empty, facts)}: no CUDA program starts there",
            f"sudo nvidia-smi mig -i {empty[0].index} -lgip  # what there is to create",
            len(empty),
        )
    elif sliced:
        slices = sum(len(gpu.mig) for gpu in sliced)
        yield _MIG.warns(
            f"on on {_named(sliced, facts)}, {counted(slices, 'instance')}: a job sees one of them and no other,"
            " and NCCL cannot join two",
            "nvidia-smi -L",
            slices,
        )
    elif any(gpu.mig_enabled is False for gpu in gpus):
        yield _MIG.passes("off")


def _named(gpus: Sequence[Gpu], facts: Facts) -> str:
    return cards((gpu.index for gpu in gpus), facts)


def _indices(boards: Sequence[Board], facts: Facts) -> str:
    return cards((board.index for board in boards), facts)


def _reset(gpus: Sequence[Gpu]) -> str:
    return f"sudo nvidia-smi -r -i {card_list(gpus)}  # with no program on it"
