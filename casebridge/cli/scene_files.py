"""Files that the cases of a scene carry, made on the spot: a log, a table, a mail, and a picture of traffic."""

from __future__ import annotations

import struct
import zlib
from random import Random

_WIDTH, _HEIGHT, _BARS = 720, 260, 48
_PAPER, _RULE, _CALM, _LOUD = b"\xfb\xfc\xfd", b"\xe3\xe7\xec", b"\x5b\x8d\xb8", b"\xc8\x3a\x3a"


def content_of(name: str, dice: Random) -> bytes:
    """What a file of this name holds, by its ending."""
    ending = name.rpartition(".")[2]
    if ending == "png":
        return picture(dice)
    if ending == "csv":
        rows = (f"2026-05-17T{n // 12:02}:{n % 12 * 5:02}:00Z,10.20.4.{n % 31 + 7},{dice.randrange(200, 90_000)}"
                for n in range(160))  # fmt: skip
        return ("time,source,bytes_out\n" + "\n".join(rows) + "\n").encode()
    if ending == "txt":
        return (
            b"From: Payroll <payroll@paytrack.example>\r\nTo: finance@soc.example.org\r\nSubject: Your payslip\r\n"
            b"Received: from mta7.paytrack.example (203.0.113.77)\r\n\r\nPlease confirm your bank details today.\r\n"
        )
    lines = (f"{n:04} sshd[{dice.randrange(900, 9_999)}]: Failed password for root from 198.51.100.23" for n in
             range(220))  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def picture(dice: Random) -> bytes:
    """A PNG of bars, quiet ones and a few that stand out."""
    burst = dice.randrange(18, 34)
    heights = [dice.randrange(150, 225) if burst <= bar < burst + 5 else dice.randrange(14, 70) for bar in range(_BARS)]
    rows = []
    for y in range(_HEIGHT):
        row = bytearray(_RULE * _WIDTH if y % 52 == 0 else _PAPER * _WIDTH)
        for bar, height in enumerate(heights):
            if _HEIGHT - 8 - height <= y < _HEIGHT - 8:
                left, colour = 3 * (bar * 15 + 2), _LOUD if height >= 150 else _CALM
                row[left : left + 33] = colour * 11
        rows.append(b"\0" + bytes(row))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*parts, strict=True)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
