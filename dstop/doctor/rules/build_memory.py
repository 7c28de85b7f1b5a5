"""The compiler was killed: too many of them at once for the host's memory

What it means
    Building CUDA extensions takes 2 to 5 GB a compiler process (nvcc starts cicc and ptxas, several threads each), and build
    tools start one a core. The machine's or the container's memory ends first.

Evidence
    `Killed signal terminated program cc1plus`, `'cicc' died due to signal 9`, `ld terminated with signal 9`, `out of memory
    allocating`, rustc with signal 9, or a bare `Killed` or 137 between compiler commands. A GPU plays no part.

Fix
    `MAX_JOBS=2` (torch extensions, flash-attn, vLLM), `NVCC_THREADS=1`, `make -j2`, `CMAKE_BUILD_PARALLEL_LEVEL`,
    `CARGO_BUILD_JOBS`; build for one architecture; or install a wheel that is built already.

When it is wrong
    If one job alone is killed, the file itself is too large: fewer architectures a compile, or more memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.builds import is_in_build
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.doctor.rules.oom_killer import COMPILERS

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_COMPILER_ERROR = r"(?m)^\s{0,12}\S{1,200}(?:\(\d+\)|:\d+(?::\d+)?): (?:fatal )?error:|undefined reference|error: (?:#|identifier|no (?:matching|member))|fatal error: \S+: No such file|unsupported (?:GNU|Microsoft)|CUDA_HOME|nvcc was not found|No such file"
_KILLS = ("host.killed_word", "host.exit_137", "host.exit_9", "host.sigkill", "host.exit_247")


def _examine(case: Case) -> Assessment | None:
    sign = case.first("build.compiler", "build.step_killed")
    strength = SAYS_SO
    if sign is None:
        sign = next(
            (
                one
                for one in case.all("kernel.killed", "kernel.constraint")
                if one.values.get("command") in COMPILERS
            ),
            None,
        )
    if sign is None:
        sign = next((one for one in case.all(*_KILLS) if is_in_build(case, one)), None)
        strength = PROVEN
    if sign is None:
        return _unsaid(case)
    around = case.all("build.is")
    near = min(around, key=lambda one: abs(one.place.order - sign.place.order), default=None)
    evidence = [told_by(sign)] + (
        [told_by(near)] if near is not None and near.place.line != sign.place.line else []
    )
    ids = ["reduce_build_jobs", "increase_host_ram", "add_swap", "match_cuda_arch"]
    if case.has("kubernetes.is", "docker.is", "build.step_killed"):
        ids.insert(2, "raise_memory_limit")
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=sign.place,
        title=_title(sign),
        fixes=prescribe(case, *ids, commands=_commands(case)),
    )


def _unsaid(case: Case) -> Assessment | None:
    """Answer for a build that stopped and printed no compiler's error: what dies without a word was killed."""
    stopped = case.first("build.stopped")
    if (
        stopped is None
        or case.says(_COMPILER_ERROR)
        or not case.says(r"\.cu\b|nvcc|flash[-_]attn|cpp_extension|\.cpp\b")
    ):
        return None
    if not case.says(r"-j['\", ]{0,6}\d{2,3}\b|--threads|Mem :|[Mm]emory|\bjobs?\b|[Kk]illed"):
        return None
    return Assessment(
        strength=FITS + 2,
        evidence=(told_by(stopped),),
        at=stopped.place,
        title="A build stopped without an error of the compiler's: too many at once for the host's memory",
        fixes=prescribe(case, "reduce_build_jobs", "increase_host_ram", "add_swap", commands=_commands(case)),
    )


def _commands(case: Case) -> dict[str, str]:
    jobs = case.number("max_jobs")
    few = max(1, jobs // 2) if jobs else 2
    if case.says(r"\b(?:rustc|cargo)\b"):
        return {"reduce_build_jobs": f"CARGO_BUILD_JOBS={few} cargo build"}
    if case.says(
        r"flash[-_]attn|flash-attention|bdist_wheel|setup\.py|pip install|torch/utils/cpp_extension|vllm|xformers"
    ):
        return {"reduce_build_jobs": f"MAX_JOBS={few} NVCC_THREADS=1 pip install --no-build-isolation …"}
    if case.says(r"\bcmake\b|CMakeFiles|Building (?:CXX|CUDA) object"):
        return {"reduce_build_jobs": f"cmake --build build -j{few}  # make -j{few}"}
    return {"reduce_build_jobs": f"MAX_JOBS={few} …  # make -j{few}"}


def _title(sign: Sign) -> str | None:
    program = sign.values.get("program") or sign.values.get("command")
    return f"The compiler ({program}) was killed: too many at once for the host's memory" if program else None


RULE = Rule(
    id="DS711",
    name="build-memory",
    cause="build_oom",
    title="The compiler was killed: too many of them at once for the host's memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[ 67%] Building CXX object src/CMakeFiles/x.dir/y.cpp.o
c++: fatal error: Killed signal terminated program cc1plus
make[2]: *** [src/CMakeFiles/x.dir/build.make:76: src/CMakeFiles/x.dir/y.cpp.o] Error 1
""",
        """[3/49] /usr/local/cuda/bin/nvcc --generate-dependencies-with-compile --dependency-output flash_bwd.o.d -O3 -c flash_bwd.cu -o flash_bwd.o
Killed
ninja: build stopped: subcommand failed.
""",
        "nvcc error   : 'cicc' died due to signal 9 (Kill signal)\n",
    ),
    near_miss=(
        """[3/49] /usr/local/cuda/bin/nvcc -O3 -c a.cu -o a.o
a.cu(12): error: identifier "foo" is undefined
ninja: build stopped: subcommand failed.
""",
        """Building wheel for flash-attn (setup.py): finished with status 'done'
Epoch 0 step 10 loss 2.31
Epoch 0 step 20 loss 2.11
Killed
""",
    ),
)
