"""What a file is, by its first bytes: text of which encoding, packed text, or something that is no log at all."""

from __future__ import annotations

from dstop.errors import DstopError

SAMPLE_BYTES = 64 << 10
"""So much of a file's begin is looked at."""

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_UNPACK = "unpack it, and name the log that is in it"
_STRANGERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PK\x03\x04", "a zip archive (PyTorch's checkpoints are such, too)", _UNPACK),
    (0, b"PK\x05\x06", "an empty zip archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a rar archive", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "lz4-compressed", "unpack it with: lz4 -d"),
    (0, b"LPKSHHRH", "systemd's journal", "give its text: journalctl --file FILE | dstop doctor -"),
    (0, b"\x7fELF", "a program or a core dump", "give the log of the run that crashed"),
    (0, b"SQLite format 3\0", "an SQLite database", "export the log from it as text"),
    (0, b"\x89HDF", "an HDF5 file", "give the log of the run"),
    (0, b"\x93NUMPY", "a NumPy array", "give the log of the run"),
    (0, b"GGUF", "a model (GGUF)", "give the log of the run"),
    (0, b"PAR1", "a Parquet file", "give the log of the run"),
    (0, b"%PDF-", "a PDF", "copy the log out of it as text"),
    (0, b"\x89PNG", "a picture", "copy the log's text; a picture of it cannot be read"),
    (0, b"\xff\xd8\xff", "a picture", "copy the log's text; a picture of it cannot be read"),
    (0, b"\x80\x02", "a pickle", "if it is a memory snapshot, name its file: a pipe is read as a log"),
    (0, b"\x80\x03", "a pickle", "if it is a memory snapshot, name its file: a pipe is read as a log"),
    (0, b"\x80\x04\x95", "a pickle", "if it is a memory snapshot, name its file: a pipe is read as a log"),
    (0, b"\x80\x05\x95", "a pickle", "if it is a memory snapshot, name its file: a pipe is read as a log"),
)
_CONTROLS = bytes(code for code in (*range(1, 32), 127) if code not in b"\t\n\r\b\f\x1b\x07\x0b")
_MOST_CONTROLS = 0.05
"""Of all bytes; of random ones it is a tenth, of a log with some binary junk in it less than this."""
_MOST_NULS = 0.1
_HOLE = bytes(16)
_WIDE_BYTES = 4096


def packing_of(head: bytes) -> str | None:
    """Give how it is packed: gzip, bzip2, xz, zstd; None where it is not."""
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)


def wide_encoding_of(head: bytes) -> str | None:
    """Give the encoding where a letter takes two bytes or four, as PowerShell writes them; None for any other."""
    for mark, name in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if head.startswith(mark):
            return name
    sample = head[:_WIDE_BYTES]
    half = len(sample) // 2
    if half == 0:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd * 5 >= half * 2 and even * 20 <= half:
        return "utf-16-le"
    return "utf-16-be" if even * 5 >= half * 2 and odd * 20 <= half else None


def refuse_strangers(head: bytes, name: str) -> None:
    """Refuse what is no text.

    Args:
        head: the first bytes, unpacked.
        name: for the error.

    Raises:
        DstopError: that says what it is.
    """
    for offset, magic, what, fix in _STRANGERS:
        if head.startswith(magic, offset):
            raise DstopError(f"{name} is {what} and no log", fix=fix)
    if is_binary(head):
        raise DstopError(f"{name} holds binary data and no text", fix="give the log of the run as text")


def is_binary(head: bytes) -> bool:
    """Whether these bytes are no text; holes in it (a log that was cut while it was being written) do not count."""
    rest = head[:SAMPLE_BYTES].replace(_HOLE, b"")
    if not rest:
        return False
    nuls = rest.count(0)
    scattered = nuls - rest.count(b"\0\0")  # UTF-16 that was appended to something else has no two in a row
    if nuls > _MOST_NULS * len(rest) and scattered < 0.9 * nuls:
        return True
    letters = len(rest) - nuls
    return len(rest) - nuls - len(rest.translate(None, _CONTROLS + b"\0")) > _MOST_CONTROLS * letters
