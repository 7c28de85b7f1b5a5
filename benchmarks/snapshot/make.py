"""Write a memory snapshot of any size, in the shape that torch writes it.

python benchmarks/snapshot/make.py 1000000 FILE [--depth 60] [--protocol 2|4|5] [--context all|alloc]
                                                [--form full|list|history] [--gzip] [--seed 0]

The objects are those that `torch.cuda.memory._snapshot` of torch 2.14 gives, shared as it shares them, so pickling them
gives its bytes: a list of frames for each captured traceback (both events of a free have one, an alloc has another, and
a segment that was got for it has the same), frames once; a text `N/A` and a tuple (0, 0) of its own for each event.
Protocol 2 is what `torch._C._memory_snapshot_pickled` writes, which shares texts, and numbers things when they are
complete. `history` is the form of torch 1.13 and 2.0, `list` what `torch.cuda.memory_snapshot()` gives.

The training is invented (`loop.py`), the events fit each other and the segments. Its allocator only takes a free block
of exactly the size, so no replay of torch's will give the same segments.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jit_pickle import dump
from loop import Recording, record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POWERS = [1 << power for power in range(16)]
SETTINGS = {
    "PYTORCH_CUDA_ALLOC_CONF": "",
    "max_split_size": -1,
    "garbage_collection_threshold": 0.0,
    "expandable_segments": False,
    "pinned_num_register_threads": 1,
    "release_lock_on_cudamalloc": False,
    "pinned_use_cuda_host_register": False,
    "graph_capture_record_stream_reuse": False,
    "max_round_threshold": -1,
    "max_cached_size": -1,
    "roundup_power2_divisions": {str(power): 0 for power in POWERS},
}


def whole(recording: Recording) -> dict[str, Any]:
    """Give what `_snapshot` of torch 2.14 gives."""
    return {
        "segments": recording.segments,
        "device_traces": [recording.events],
        "allocator_settings": SETTINGS,
        "external_annotations": recording.annotations,
        "host_segments": [],
        "host_traces": [],
    }


def old(segments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give segments as torch 1.13 and 2.0 did: a block has no address, and a history instead of frames."""
    made = []
    for segment in segments:
        blocks = [
            {"size": block["size"], "state": block["state"]}
            | ({"history": [_history(block)]} if block["state"] != "inactive" else {})
            for block in segment["blocks"]
        ]
        names = ("device", "address", "total_size", "allocated_size", "active_size", "stream", "segment_type")
        made.append({name: segment[name] for name in names} | {"blocks": blocks})
    return made


def _history(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"addr": block["address"], "real_size": block["requested_size"], "frames": block["frames"]}


def write(found: object, file: BinaryIO, protocol: int) -> None:
    """Pickle as Python does, or (2) as torch's own pickler."""
    if protocol == 2:  # noqa: PLR2004 - a pickle protocol
        dump(found, file)
    else:
        pickle.dump(found, file, protocol=protocol)


def main() -> None:
    """Make it, write it, and say what it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("events", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--depth", type=int, default=60, help="frames of the deepest stacks")
    parser.add_argument("--protocol", type=int, choices=(2, 4, 5), default=4)
    parser.add_argument("--context", choices=("all", "alloc"), default="all", help="what has a stack")
    parser.add_argument("--form", choices=("full", "list", "history"), default="full")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    gc.disable()  # there are no cycles, and looking for them in millions of dicts takes most of the time
    began = time.perf_counter()
    recording = record(args.events, args.depth, args.seed, frees=args.context == "all")
    forms: dict[str, Callable[[], Any]] = {
        "full": lambda: whole(recording),
        "list": lambda: recording.segments,
        "history": lambda: {"segments": old(recording.segments), "device_traces": [recording.events]},
    }
    with gzip.open(args.file, "wb", 1) if args.gzip else args.file.open("wb") as file:
        write(forms[args.form](), file, args.protocol)
    print(
        f"{args.file}: {len(recording.events)} events, {recording.stacks} stacks of {recording.frames} frames,"
        f" {len(recording.segments)} segments, peak {recording.peak_bytes} bytes,"
        f" {args.file.stat().st_size / 1e6:.0f} MB in {time.perf_counter() - began:.1f} s"
    )


if __name__ == "__main__":
    main()
