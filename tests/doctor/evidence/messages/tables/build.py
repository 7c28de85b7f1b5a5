"""Compilers that are killed."""

from __future__ import annotations

from dstop.doctor.evidence.messages.build import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("ninja: build stopped: subcommand failed.", "build.stopped", {}),
    ("RuntimeError: Error compiling objects for extension", "build.stopped", {}),
    ("c++: fatal error: Killed signal terminated program cc1plus", "build.compiler", {"program": "cc1plus"}),
    ("g++: internal compiler error: Killed (program cc1plus)", "build.compiler", {"program": "cc1plus"}),
    ("nvcc error   : 'cicc' died due to signal 9 (Kill signal)", "build.compiler", {"program": "cicc"}),
    ("nvcc error   : 'ptxas' died due to signal 9 (Kill signal)", "build.compiler", {"program": "ptxas"}),
    ("clang: error: unable to execute command: Killed", "build.compiler", {}),
    ("collect2: fatal error: ld terminated with signal 9 [Killed]", "build.compiler", {"program": "ld"}),
    (
        "cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes",
        "build.compiler",
        {"tried_bytes": 65536},
    ),
    ("virtual memory exhausted: Cannot allocate memory", "build.compiler", {}),
    ("LLVM ERROR: out of memory", "build.compiler", {}),
    ("/usr/bin/ld: final link failed: memory exhausted", "build.compiler", {}),
    ("fatal error C1060: compiler is out of heap space", "build.compiler", {}),
    ("nvcc fatal   : Memory allocation failure", "build.compiler", {}),
    ("catastrophic error: out of memory", "build.compiler", {}),
    (
        "process didn't exit successfully: `rustc --crate-name candle` (signal: 9, SIGKILL: kill)",
        "build.compiler",
        {"program": "rustc"},
    ),
    ("ptxas: Killed", "build.compiler", {"program": "ptxas"}),
    (
        "The command '/bin/sh -c pip install flash-attn' returned a non-zero code: 137",
        "build.step_killed",
        {},
    ),
    (
        'ERROR: failed to solve: process "/bin/sh -c make -j" did not complete successfully: exit code: 137',
        "build.step_killed",
        {},
    ),
    ("ninja: build stopped: subcommand failed.", "build.is", {}),
    ("FAILED: csrc/a.o", "build.is", {}),
    ("[ 67%] Building CXX object src/y.cpp.o", "build.is", {}),
    ("building 'flash_attn_2_cuda' extension", "build.is", {}),
    ("/usr/local/cuda/bin/nvcc -O3 -c a.cu", "build.is", {}),
    ("make[2]: *** [src/build.make:76] Error 1", "build.is", {}),
    ("gcc -pthread -O2 -fPIC -c a.c -o a.o", "build.is", {}),
    ("ERROR: Failed building wheel for flash-attn", "build.is", {}),
    ("RuntimeError: Error compiling objects for extension", "build.is", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("ptxas info: Used 255 registers", "build.compiler"),
    ("The command '/bin/sh -c python train.py' returned a non-zero code: 137", "build.step_killed"),
)
"""What looks alike, and the kind that it must not have."""
