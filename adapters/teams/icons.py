"""The two icons of the app package, drawn here: PNG needs nothing but zlib (w3.org/TR/png)."""

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache

COLOR_SIZE = 192
OUTLINE_SIZE = 32
ACCENT = "#1D3557"

_SAMPLES = (0.125, 0.375, 0.625, 0.875)  # of a pixel's side
_WHITE = (255, 255, 255)
_ROUNDED, _TAIL = 0.14, ((0.30, 0.62), (0.30, 0.86), (0.52, 0.66))

Shape = Callable[[float, float], bool]
"""Tell whether a point of the unit square is covered."""


@cache
def color_icon() -> bytes:
    """Draw the icon of 192 x 192 pixels: a speech bubble on the accent colour."""
    accent = tuple(bytes.fromhex(ACCENT[1:]))
    pixels = bytearray()
    for share in _shares(_bubble, COLOR_SIZE):
        pixels += bytes(round(a + (w - a) * share) for a, w in zip(accent, _WHITE, strict=True)) + b"\xff"
    return write_png(COLOR_SIZE, bytes(pixels))


@cache
def outline_icon() -> bytes:
    """Draw the icon of 32 x 32 pixels: the bubble's outline, white on transparent."""
    pixels = bytearray()
    for share in _shares(_rim, OUTLINE_SIZE):
        pixels += bytes((*_WHITE, round(255 * share)))
    return write_png(OUTLINE_SIZE, bytes(pixels))


def write_png(size: int, pixels: bytes) -> bytes:
    """Write a square picture of SIZE pixels a side, four bytes each: red, green, blue, alpha."""
    row = 4 * size
    raw = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _shares(shape: Shape, size: int) -> list[float]:
    """Return how much of each pixel is covered, row by row; only those on an edge are looked at closely."""
    grid = [[shape(x / size, y / size) for x in range(size + 1)] for y in range(size + 1)]
    return [_share(shape, size, x, y, grid) for y in range(size) for x in range(size)]


def _share(shape: Shape, size: int, x: int, y: int, grid: Sequence[Sequence[bool]]) -> float:
    corners = sum((grid[y][x], grid[y][x + 1], grid[y + 1][x], grid[y + 1][x + 1]))
    if corners in (0, 4):
        return corners / 4
    return sum(shape((x + dx) / size, (y + dy) / size) for dx in _SAMPLES for dy in _SAMPLES) / len(_SAMPLES) ** 2


def _bubble(x: float, y: float) -> bool:
    lines = any(abs(y - line) < 0.022 and 0.30 < x < end for line, end in ((0.34, 0.70), (0.45, 0.70), (0.56, 0.55)))
    return _filled(x, y, 0.0) and not lines


def _rim(x: float, y: float) -> bool:
    return _filled(x, y, -0.09) and not _filled(x, y, -0.01)


def _filled(x: float, y: float, inset: float) -> bool:
    """Tell whether a point is in the bubble, made smaller by INSET."""
    left, top, right, bottom = 0.18 + inset, 0.20 + inset, 0.82 - inset, 0.68 - inset
    across = max(left + _ROUNDED - x, x - right + _ROUNDED, 0.0)
    down = max(top + _ROUNDED - y, y - bottom + _ROUNDED, 0.0)
    return across * across + down * down <= _ROUNDED * _ROUNDED or _in_tail(x, y - max(0.0, -inset) / 2)


def _in_tail(x: float, y: float) -> bool:
    (x1, y1), (x2, y2), (x3, y3) = _TAIL
    sides = ((x1, y1, x2, y2), (x2, y2, x3, y3), (x3, y3, x1, y1))
    turns = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) <= 0 for ax, ay, bx, by in sides]
    return all(turns)
