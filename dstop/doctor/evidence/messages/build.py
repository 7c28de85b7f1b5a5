"""Compilers and what drives them, when the machine's memory ends a build."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern("build.stopped", "stopped", r"ninja: build stopped: subcommand failed"),
    Pattern("build.stopped", "Error compiling objects for extension"),
    # GCC: since 8 `Killed signal terminated program`, before `internal compiler error: Killed (program cc1plus)`.
    Pattern(
        "build.compiler",
        "Killed signal terminated program",
        r"Killed signal terminated program (?P<program>[\w+-]{2,20})",
    ),
    Pattern(
        "build.compiler",
        "internal compiler error: Killed",
        r"internal compiler error: Killed \(program (?P<program>[\w+-]{2,20})\)",
    ),
    Pattern(
        "build.compiler",
        "died due to signal 9",
        r"nvcc error {0,4}: '(?P<program>[\w+]{2,20})' died due to signal 9[^\n]{0,40}",
    ),
    Pattern("build.compiler", "unable to execute command: Killed", r"unable to execute command: Killed"),
    Pattern(
        "build.compiler",
        "terminated with signal 9",
        r"(?P<program>ld|lto\w{0,10}|lld|collect2) terminated with signal 9[^\n]{0,40}",
    ),
    Pattern(
        "build.compiler",
        "out of memory allocating",
        r"(?P<program>cc1plus|cc1|lto1|c\+\+|g\+\+|ld)[^\n]{0,60}out of memory allocating (?P<tried_bytes>\d{1,20}) bytes[^\n]{0,80}",
    ),
    Pattern(
        "build.compiler", "virtual memory exhausted", r"virtual memory exhausted: Cannot allocate memory"
    ),
    Pattern("build.compiler", "LLVM ERROR: out of memory", r"LLVM ERROR: out of memory[^\n]{0,40}"),
    Pattern(
        "build.compiler", "emory exhausted", r"(?:final link failed|\bld\b)[^\n]{0,40}: [Mm]emory exhausted"
    ),
    Pattern("build.compiler", "out of heap space", r"compiler is out of heap space[^\n]{0,40}"),
    Pattern(
        "build.compiler",
        "nvcc fatal",
        r"nvcc fatal {0,4}: (?:Memory allocation failure|out of memory)[^\n]{0,40}",
    ),
    Pattern("build.compiler", "catastrophic error", r"catastrophic error: out of memory[^\n]{0,40}"),
    Pattern(
        "build.compiler",
        "signal: 9",
        r"\b(?P<program>rustc|cargo|cc|ld|nvcc)\b[^\n]{0,2000}\(signal: 9, SIGKILL: kill\)",
    ),
    Pattern(
        "build.compiler",
        "illed",
        r"(?:^|(?<=\n)|(?<=[ /]))(?P<program>cc1plus|cc1|cicc|ptxas|cudafe\+\+|nvcc|lto1|lld|ld|rustc|clang(?:\+\+)?)"
        r"(?:\.\w{1,8})?: (?:[^\n]{0,60}: )?[Kk]illed[^\n]{0,40}",
    ),
    # `docker build` of something that compiles.
    Pattern(
        "build.step_killed",
        "137",
        r"(?:The command '|process \"|RUN )[^\n]{0,400}(?:flash[-_]attn|flash-attention|\bmake\b|cmake|ninja|cargo|setup\.py|bdist_wheel|"
        r"vllm|xformers|apex|deepspeed|nvcc|pip\d? install (?:-\S{1,30} ){0,4}\.)[^\n]{0,300}(?:code|status):? 137",
    ),
    # That a build is going on.
    Pattern("build.is", "ninja", r"ninja: build stopped[^\n]{0,80}|\['ninja'|\bninja -[vjC]\b"),
    Pattern("build.is", "FAILED:", r"FAILED: [^\n]{0,200}\.o(?:bj)?\b"),
    Pattern("build.is", "Building", r"Building (?:CXX|CUDA|C|NVCC|wheels? for|wheel|extension)[^\n]{0,120}"),
    Pattern("build.is", "building", r"building '[\w.]{1,80}' extension"),
    Pattern("build.is", "nvcc", r"\bnvcc (?:-|--)[^\n]{0,160}"),
    Pattern("build.is", "make", r"make(?:\[\d{1,3}\])?: \*\*\*[^\n]{0,160}"),
    Pattern(
        "build.is",
        "-c ",
        r"\b(?:gcc|g\+\+|c\+\+|clang\+\+|x86_64-linux-gnu-g\+\+) [^\n]{0,600} -c [^\n]{0,200}",
    ),
    Pattern("build.is", "Failed building wheel", r"Failed building wheel for (?P<package>[\w.-]{1,60})"),
    Pattern("build.is", "rror compiling objects", r"(?i)error compiling objects for extension"),
)
