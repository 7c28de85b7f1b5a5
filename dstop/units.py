"""The only place where bytes, seconds and rates become text.

Memory is binary (1 GiB = 2**30 bytes) and is written with the letter that every GPU tool uses: 79.6G, 512M.
"""

from __future__ import annotations

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40
MILLIJOULES_PER_KWH = 3.6e9
_SUFFIXES = "BKMGTPE"


def bytes_text(count: float | None) -> str:
    """Give a byte count in at most five cells: `512M`, `7.9G`, `79.6G`, `1.2T`; `–` when it is not known."""
    if count is None:
        return "–"
    sign, value = ("-", -count) if count < 0 else ("", count)
    power = 0
    while value >= 999.5 and power < len(_SUFFIXES) - 1:  # noqa: PLR2004 - four digits never fit
        value /= 1024
        power += 1
    digits = 1 if power >= 3 and value < 99.95 else 0  # noqa: PLR2004 - a tenth matters from GiB up
    return f"{sign}{value:.{digits}f}{_SUFFIXES[power]}"


def gib_text(count: float | None) -> str:
    """Give a byte count in GiB with one digit (none from 1000 GiB on), for figures that are compared side by side."""
    if count is None:
        return "–"
    amount = count / GIB
    return f"{amount:.1f}" if amount < 999.95 else f"{amount:.0f}"  # noqa: PLR2004 - five cells are enough


def rate_text(bytes_per_second: float | None) -> str:
    """Give a transfer rate: `512M/s`; `–` when it is not known."""
    return "–" if bytes_per_second is None else f"{bytes_text(bytes_per_second)}/s"


def duration_text(seconds: float | None) -> str:
    """Give an age in at most six cells: `42s`, `3:07`, `1:02:33`, `4d 7h`."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h" if days < 100 else f"{days}d"  # noqa: PLR2004 - keeps six cells
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}:{secs:02}" if minutes else f"{secs}s"


def percent_text(value: float | None) -> str:
    """Give a percentage without its sign, rounded: `97`; `–` when it is not known."""
    return "–" if value is None else f"{value:.0f}"


def watts_text(milliwatts: float | None) -> str:
    """Give a power draw in watts: `712`; `–` when it is not known."""
    return "–" if milliwatts is None else f"{milliwatts / 1000:.0f}"


def parse_bytes(text: str) -> int:
    """Read a byte count as people write it: `20G`, `20GiB`, `512 MiB`, `1.5g`, `80GB` (decimal), `1024`.

    Raises:
        ValueError: when the text is no size.
    """
    cleaned = text.strip().lower().replace(" ", "").replace("_", "")
    number = cleaned.rstrip("abcdefghijklmnopqrstuvwxyz")
    suffix = cleaned[len(number) :]
    binary = {"": 1, "b": 1, "k": KIB, "m": MIB, "g": GIB, "t": TIB}
    decimal = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
    scale = decimal.get(suffix) or binary.get(suffix.removesuffix("ib") if len(suffix) == 3 else suffix)  # noqa: PLR2004
    if scale is None or not number:
        raise ValueError(f"{text!r} is not a size (write 20GiB, 512M or a number of bytes)")
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"{text!r} is not a size (write 20GiB, 512M or a number of bytes)") from None
    if not 0 <= value * scale < 2**63:
        raise ValueError(f"{text!r} is not a size that memory can have")
    return int(value * scale)
