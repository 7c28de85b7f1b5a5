"""A file is damaged, missing or refused

What it means
    A checkpoint, an archive or a model file is cut short or is no such file at all (a Git LFS pointer, an error page),
    cannot be found, or may not be fetched.

Evidence
    Errors of the reader: `PytorchStreamReader failed`, `SafetensorError`, `invalid magic`, `Ran out of input`; a missing
    file; 401, 403 or 404 of a hub; a name that cannot be resolved.

Fix
    Compare size and checksum with the source, and fetch it again. For a gated model: accept its terms and log in; without a
    network: HF_HUB_OFFLINE=1 and a filled cache.

When it is wrong
    A checkpoint that was being written when the disk was full or the process was killed is aftermath of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment

_CHECK = "ls -l FILE; sha256sum FILE  # a few hundred bytes are a Git LFS pointer: git lfs pull"


def _examine(case: Case) -> Assessment | None:
    damaged = case.first("other.damaged_file", "other.weights_only")
    if damaged is not None:
        fixes = ("change_config", "upgrade_version", "pin_version")
        titles = {"change_config": "Fetch the file again, and compare its checksum"}
        if damaged.kind == "other.weights_only":
            titles = {"change_config": "torch.load(path, weights_only=False), for a file that you trust"}
        return not_memory(
            case,
            damaged,
            PROVEN,
            fixes,
            titles=titles,
            commands={"change_config": _CHECK} if damaged.kind == "other.damaged_file" else {},
        )
    refused = case.first("other.http")
    missing = case.first("other.missing_file", "other.permission")
    sign = refused or missing
    if sign is None:
        return None
    strength = FITS if case.traces else SUGGESTS
    titles = {
        "change_config": "The right name, a token, or a cache that is filled"
        if refused
        else "The right path, or its permissions"
    }
    title = "A download was refused" if refused else "A file is missing or may not be opened"
    return not_memory(
        case, sign, strength, ("change_config", "upgrade_version", "pin_version"), title=title, titles=titles
    )


RULE = Rule(
    id="DS919",
    name="damaged-file",
    cause="not_memory",
    title="A file is damaged, missing or refused",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory\n",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer\n",
        """Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
    load()
FileNotFoundError: [Errno 2] No such file or directory: '/data/train.json'
""",
    ),
    near_miss=("OSError: [Errno 28] No space left on device: '/scratch/ckpt/model.pt'\n",),
)
