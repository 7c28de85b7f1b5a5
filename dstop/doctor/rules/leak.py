"""Memory of earlier steps is never released

What it means
    The same work fitted before, and now does not: something keeps tensors of earlier steps alive. A loss that is summed with its
    graph, a list of outputs, a pipeline built anew for each request, a metric that stores what it sees.

Evidence
    Readings of used memory in the log rise and do not fall; or the run has passed at least one whole epoch, so that every sample
    had its turn, and fails now; or an inference loop fails after calls that fitted, with no `no_grad` around it. A snapshot names
    the line that holds more at the end of each step, and its requests are replayed without what it kept.

Fix
    `.item()` or `.detach()` before anything is kept; move what must be kept to the host; `torch.inference_mode()` around what
    is not trained.

When it is wrong
    Within the first epoch a longer sample explains a late failure better (DS101). A server that claims its pool at the start is
    flat from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.live.leak import watch
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.questions.remembering import by_line, growth_line, site_text
from dstop.doctor.questions.replayed import asked, surely_fits, verdict_lines
from dstop.doctor.questions.series import growth_in
from dstop.doctor.rule import DEFAULT, FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.memory import Memory
    from dstop.model.study import Growth

_PART, _DUMP_PART = 0.05, 0.02
"""Of what is live: below this, what grows did not fill the card; and is not worth a word where nothing failed."""


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    seen = _seen(case)
    if seen is not None:
        return _remembered(case, *seen)
    if (
        failure is None
        or failure.is_absurd
        or case.framework in ENGINES
        or case.phase in {"load", "build", "save", "capture"}
    ):
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    growth = growth_in(case.text)
    epoch = case.last_epoch
    strength = None
    if growth is not None:
        says = f"used memory rose from {gib(growth.first_bytes)} to {gib(growth.last_bytes)} over {growth.readings} readings, and never fell"
        evidence.append(
            Evidence(source=case.found[0].source, says=says, value=growth.last_bytes - growth.first_bytes)
        )
        strength = PROVEN
    elif epoch is not None and epoch >= 2:  # noqa: PLR2004 - the first may be numbered 1
        evidence.append(
            Evidence(
                source=str(failure.place),
                says=f"{epoch} epochs fitted before: the same data, the same shapes",
                value=epoch,
            )
        )
        strength = FITS + 1
    elif case.says(r"(?i)memory leak|leaking memory|memory (?:keeps|is) (?:increasing|growing)"):
        strength = SUGGESTS
    elif (
        case.phase == "inference"
        and case.in_frames(r"forward") is not None
        and not case.says(r"no_grad|inference_mode")
    ):
        strength = DEFAULT + 12
    if strength is None:
        return None
    return Assessment(
        strength=strength, evidence=tuple(evidence), at=failure.place, fixes=prescribe(case, *_fixes(case))
    )


def _seen(case: Case) -> tuple[Memory, list[Growth]] | None:
    """Give what grows in a snapshot, where it has grown to something that matters."""
    memory = case.memory
    if memory is None:
        return None
    part = _DUMP_PART if case.failure is None else _PART
    grown = sum(growth.held_bytes[-1] - growth.held_bytes[0] for growth in memory.growth)
    return (memory, by_line(memory.growth)[:3]) if grown and grown >= part * memory.live_bytes else None


def _remembered(case: Case, memory: Memory, growth: list[Growth]) -> Assessment:
    """Answer with the line that keeps, and whether the run had fitted without."""
    proof, against = verdict_lines(case, ("fix_leak_detach",))
    first, *others = [growth_line(memory, each) for each in growth]
    verdict = asked(case, "fix_leak_detach")
    is_cause = case.failure is None or (verdict is not None and surely_fits(case, verdict))
    return Assessment(
        strength=PROVEN + (6 if is_cause else 0),
        evidence=(*failure_lines(case), first, *proof, *others, *rank_lines(case)),
        against=tuple(against),
        at=memory.place if case.failure is None else case.failure.place,
        title=f"Memory of earlier steps is never released: {site_text(growth[0].site)}",
        fixes=prescribe(case, *_fixes(case)),
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.phase == "inference":
        return ("no_grad_eval", "fix_leak_detach", "empty_cache", "reduce_batch")
    return ("fix_leak_detach", "empty_cache", "disable_metric", "reduce_batch", "no_grad_eval")


RULE = Rule(
    id="DS301",
    name="leak",
    cause="leak",
    title="Memory of earlier steps is never released",
    page=__doc__ or "",
    examine=_examine,
    watch=watch,
    fires=(
        """step 100 loss 2.31 mem 11.2GiB
step 200 loss 2.20 mem 13.9GiB
step 300 loss 2.12 mem 16.6GiB
step 400 loss 2.08 mem 19.3GiB
step 500 loss 2.01 mem 22.0GiB
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """step 100 loss 2.31 mem 21.2GiB
step 200 loss 2.20 mem 21.3GiB
step 300 loss 2.12 mem 21.1GiB
step 400 loss 2.08 mem 21.2GiB
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
