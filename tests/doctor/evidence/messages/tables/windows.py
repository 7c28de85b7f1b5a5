"""Windows' commit limit, and what shows Windows."""

from __future__ import annotations

from dstop.doctor.evidence.messages.windows import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        'OSError: [WinError 1455] The paging file is too small for this operation to complete. Error loading "C:\\x.dll"',
        "host.paging_file",
        {},
    ),
    ("(os error 1455)", "host.paging_file", {}),
    ("the paging file is too small for this operation to complete", "host.paging_file", {}),
    ("LoadLibrary failed with error 1455", "host.paging_file", {}),
    ("HRESULT 0x800705AF", "host.paging_file", {}),
    ("hr=0x800705af", "host.paging_file", {}),
    (
        "OSError: [WinError 1450] Insufficient system resources exist to complete the requested service",
        "host.paging_file",
        {},
    ),
    (
        "OSError: [WinError 8] Not enough memory resources are available to process this command",
        "host.paging_file",
        {},
    ),
    ("Process 9 has 17179869184.00 GiB memory in use.", "host.nonsense_figures", {}),
    ("17179869183.99 GiB memory in use", "host.nonsense_figures", {}),
    ("running in WSL2", "host.wsl", {}),
    ("Linux-5.15.153.1-microsoft-standard-WSL2-x86_64", "host.wsl", {}),
    ('File "/mnt/c/Users/u/train.py"', "host.wsl", {}),
    ('File "C:\\Users\\u\\train.py", line 3', "host.windows", {}),
    ("Platform: Windows-10-10.0.22631", "host.windows", {}),
    ("cublas64_11.dll", "host.windows", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("error 14550", "host.paging_file"),
    ("http://host:8080/path", "host.windows"),
)
"""What looks alike, and the kind that it must not have."""
