"""Does the PyTorch that is installed run on this driver and these cards?

Sources: NVIDIA, "CUDA Compatibility", table of minimum driver versions; "CUDA Toolkit Release Notes" for which compute
capabilities came and went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import cards
from dstop.doctor.environment.values import CheckStatus, Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts, TorchBuild
    from dstop.doctor.environment.values import Check

_TITLE = "PyTorch and the driver"
_INDEX = "python3 -m pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/"

MINIMUM_DRIVER = {11: 450, 12: 525, 13: 580}
"""CUDA major version -> oldest driver branch that runs it (minor-version compatibility)."""

_OLDEST_CARD = {13: (7, 5), 12: (5, 0), 11: (3, 5)}
"""CUDA major version -> lowest compute capability that it still builds for."""

_FIRST_CUDA = {(8, 0): (11, 0), (9, 0): (11, 8), (10, 0): (12, 8), (11, 0): (13, 0), (12, 0): (12, 8)}
"""Compute capability -> first CUDA that builds for it; those between two run what the lower one runs."""


def torch_builds(facts: Facts) -> Iterator[Check]:
    """Judge every installation that was found, the one of `python3` first."""
    if not facts.torches:
        yield Question("torch.build", _TITLE, "torch/version.py").unknown(
            "no PyTorch is found in VIRTUAL_ENV, CONDA_PREFIX, PYTHONPATH or beside python3",
            "python3 -c 'import torch; print(torch.__version__, torch.version.cuda)'",
        )
    for build in facts.torches:
        yield _judge(Question("torch.build", _TITLE, f"{build.path}/torch/version.py"), build, facts)


def _judge(question: Question, build: TorchBuild, facts: Facts) -> Check:
    name = f"torch {build.version}"
    if build.cuda is None:
        kind = f"built for ROCm {build.hip}" if build.hip else "built for the CPU alone"
        says = f"{name} is {kind}: torch.cuda.is_available() is False on NVIDIA cards"
        status = CheckStatus.WARN if facts.sample is None else CheckStatus.FAIL
        return question.judged(status, says, f"{_INDEX}{_wheel(facts)}", build.version)
    cuda, driver = _pair(build.cuda), _major(facts)
    if cuda is None:
        return question.unknown(f"{name} is for CUDA {build.cuda}, which is no version number")
    minimum = MINIMUM_DRIVER.get(cuda[0])
    if driver is None or facts.sample is None:
        needs = f" and needs driver {minimum} or newer" if minimum else ""
        return question.unknown(f"{name} is for CUDA {build.cuda}{needs}; the driver's version is not known")
    if minimum is not None and driver < minimum:
        return _too_old(question, build, facts, minimum)
    return _by_card(question, build, cuda, facts) or _fits(question, build, cuda, facts)


def _too_old(question: Question, build: TorchBuild, facts: Facts, minimum: int) -> Check:
    version = None if facts.sample is None else facts.sample.driver_version
    says = (
        f"torch {build.version} is for CUDA {build.cuda}, which needs driver {minimum} or newer; this is {version}:"
        " CUDA does not start ('driver too old')"
    )
    newer = [text for text in facts.driver.compat_versions if int(text.split(".")[0]) >= minimum]
    if newer:
        return question.warns(
            f"{says}, unless CUDA's forward compatibility ({newer[-1]}, data-center cards alone) is used",
            "export LD_LIBRARY_PATH=/usr/local/cuda/compat:$LD_LIBRARY_PATH",
            build.cuda,
        )
    return question.fails(says, f"{_INDEX}{_wheel(facts)}  # or a newer driver", build.cuda)


def _by_card(question: Question, build: TorchBuild, cuda: tuple[int, int], facts: Facts) -> Check | None:
    """Say for which cards this build has no kernels; None when it has some for all whose family is known."""
    known = [
        (gpu, capability)
        for gpu in (() if facts.sample is None else facts.sample.gpus)
        if (capability := _pair(gpu.compute_capability or "")) is not None
    ]
    old = [gpu for gpu, capability in known if capability < _OLDEST_CARD.get(cuda[0], (0, 0))]
    if old:
        wheel = "cu126" if all(capability >= _OLDEST_CARD[12] for _, capability in known) else "cu118"
        return question.fails(
            f"torch {build.version} is for CUDA {build.cuda}, which no longer builds for {old[0].name}"
            f" ({old[0].compute_capability}; {cards((gpu.index for gpu in old), facts)}): no kernel image is available",
            f"{_INDEX}{wheel}",
            build.cuda,
        )
    new = [gpu for gpu, capability in known if cuda < _needed(capability)]
    if new:
        major, minor = _needed(_pair(new[0].compute_capability or "") or (0, 0))
        return question.fails(
            f"torch {build.version} is for CUDA {build.cuda}, and {new[0].name} ({new[0].compute_capability};"
            f" {cards((gpu.index for gpu in new), facts)}) needs {major}.{minor}: no kernel image is available",
            f"{_INDEX}{_wheel(facts)}",
            build.cuda,
        )
    return None


def _fits(question: Question, build: TorchBuild, cuda: tuple[int, int], facts: Facts) -> Check:
    sample = facts.sample
    runs = _pair((None if sample is None else sample.cuda_version) or "")
    version = None if sample is None else sample.driver_version
    says = f"torch {build.version} for CUDA {build.cuda} runs on driver {version}"
    if runs is not None and runs < cuda:
        says += f" (made for {runs[0]}.{runs[1]}) by minor-version compatibility: without its newest features"
    return question.passes(says, build.cuda)


def _needed(capability: tuple[int, int]) -> tuple[int, int]:
    found = [cuda for card, cuda in _FIRST_CUDA.items() if card <= capability and card[0] == capability[0]]
    return max(found, default=(0, 0))


def _wheel(facts: Facts) -> str:
    """Name the newest CUDA that this driver runs, as PyTorch's wheels do."""
    driver = _major(facts)
    return (
        "cu130"
        if driver is None or driver >= MINIMUM_DRIVER[13]
        else "cu128"
        if driver >= MINIMUM_DRIVER[12]
        else "cu118"
    )


def _major(facts: Facts) -> int | None:
    text = "" if facts.sample is None else facts.sample.driver_version or ""
    head = text.split(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) <= 4 else None  # noqa: PLR2004 - 580


def _pair(text: str) -> tuple[int, int] | None:
    parts = text.split(".")[:2]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):  # noqa: PLR2004
        return None
    return int(parts[0]), int(parts[1])
