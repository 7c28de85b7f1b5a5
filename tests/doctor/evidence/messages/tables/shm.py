"""Shared memory and descriptors."""

from __future__ import annotations

from dstop.doctor.evidence.messages.shm import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("RuntimeError: DataLoader worker (pid 4100) is killed by signal: Bus error. ", "shm.bus_error", {}),
    ("This might be caused by insufficient shared memory (shm).", "shm.bus_error", {}),
    ("It is possible that dataloader's workers are out of shared memory.", "shm.bus_error", {}),
    ("Bus error (core dumped)", "shm.bare_bus_error", {}),
    ("Fatal Python error: Bus error", "shm.bare_bus_error", {}),
    ("exitcode  : -7 (pid: 9)", "shm.bare_bus_error", {}),
    ("Signal 7 (SIGBUS) received by PID 9", "shm.bare_bus_error", {}),
    ("exited with code 135", "shm.bare_bus_error", {}),
    (
        "RuntimeError: unable to write to file </torch_38_1a2b>: No space left on device (28)",
        "shm.no_space",
        {},
    ),
    ("OSError: [Errno 28] No space left on device: '/psm_1a2b3c'", "shm.no_space", {}),
    ("OSError: [Errno 28] No space left on device: '/dev/shm/sem.x'", "shm.no_space", {}),
    (
        "RuntimeError: unable to allocate shared memory(shm) for file </torch_7_8>: Resource temporarily unavailable (11)",
        "shm.no_space",
        {},
    ),
    (
        "RuntimeError: unable to resize file </torch_7_8> to the right size: No space left on device (28)",
        "shm.no_space",
        {},
    ),
    ("shm              64M   64M     0 100% /dev/shm", "shm.small", {"size_bytes": 67108864}),
    (
        "RuntimeError: unable to open shared memory object </torch_29919_1396182366> in read-write mode: Too many open files (24)",
        "shm.open",
        {},
    ),
    ("RuntimeError: could not open shared memory file </torch_1>", "shm.open", {}),
    ("OSError: [Errno 24] Too many open files: 'x'", "fd.too_many", {}),
    ("accept: too many open files", "fd.too_many", {}),
    ("RuntimeError: received 0 items of ancdata", "fd.too_many", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("OSError: [Errno 28] No space left on device: '/data/ckpt.pt'", "shm.no_space"),
    ("out of resource: shared memory, Required: 131072, Hardware limit: 101376", "shm.no_space"),
    ("ERROR: Unexpected bus error encountered in worker.", "shm.bare_bus_error"),
)
"""What looks alike, and the kind that it must not have."""
