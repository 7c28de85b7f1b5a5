"""Windows: the commit limit, and what shows that a log is of Windows or of WSL."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern("host.paging_file", "1455", r"\[WinError 1455\][^\n]{0,200}|\bos error 1455\b"),
    Pattern("host.paging_file", "aging file is too small", r"(?i)the paging file is too small[^\n]{0,120}"),
    Pattern("host.paging_file", "1455", r"(?:[Ee]rror(?: code)?:? ?|LastError[=: ]{1,3})1455\b"),
    Pattern("host.paging_file", "0x800705AF", r"0x800705AF"),
    Pattern("host.paging_file", "0x800705af", r"0x800705af"),
    Pattern("host.paging_file", "1450", r"\[WinError 1450\][^\n]{0,120}"),
    Pattern("host.paging_file", "WinError 8]", r"\[WinError 8\][^\n]{0,120}"),
    Pattern("host.nonsense_figures", "17179869184.00 GiB", r"\d{0,2}17179869184\.00 GiB[^\n]{0,40}"),
    Pattern("host.nonsense_figures", "17179869183", r"17179869183\.\d\d GiB[^\n]{0,40}"),
    Pattern("host.wsl", "WSL", r"\bWSL(?:2|g)?\b[^\n]{0,60}"),
    Pattern("host.wsl", "microsoft-standard", r"microsoft-standard(?:-WSL2)?"),
    Pattern("host.wsl", "/mnt/", r"/mnt/[c-z]/[^\n]{0,80}"),
    Pattern("host.windows", ":\\", r"(?<![A-Za-z])[A-Za-z]:\\{1,2}[\w.][^\n]{0,200}"),
    Pattern(
        "host.windows",
        "Windows",
        r"(?:Windows-1[01]|Windows (?:10|11|Server)|Platform: Windows|\bwin32\b)[^\n]{0,60}",
    ),
    Pattern("host.windows", ".dll", r"\b[\w.-]{1,60}\.dll\b"),
)
