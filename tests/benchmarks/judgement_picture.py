"""The ROC curve as an SVG file: axes, both limits, the curve, and where the tool's limits lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_SIZE, _LEFT, _TOP = 420, 70, 50
_WIDTH, _HEIGHT = _LEFT + _SIZE + 40, _TOP + _SIZE + 70
_INK, _CURVE, _GRID, _ZONE = "#222222", "#0b6e99", "#dddddd", "#e6f3e6"


@dataclass(frozen=True, slots=True)
class Mark:
    """A working point on the curve, both rates 0 to 1, and what is written beside it."""

    false: float
    found: float
    text: str


def roc_svg(
    false: Sequence[float], found: Sequence[float], title: str, marks: Sequence[Mark]
) -> str:
    """The curve from (0, 0) to (1, 1); the shaded corner meets the limits of 5 % and 95 %."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _box(0.0, 0.95, 0.05, 1.0, _ZONE),
        *_grid(),
        _line([(0, 0), (1, 1)], "#999999", 1, dash="4 4"),
        _line(list(zip(false, found, strict=True)), _CURVE, 2.5),
        *(_mark(mark) for mark in marks),
        _text(_LEFT + _SIZE / 2, 28, title, "middle", 15),
        _text(_LEFT + _SIZE / 2, _HEIGHT - 18, "fixable, called unfixable", "middle"),
        f'<g transform="rotate(-90 20 {_TOP + _SIZE / 2})">'
        + _text(20, _TOP + _SIZE / 2, "unfixable, found", "middle")
        + "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _at(false: float, found: float) -> tuple[float, float]:
    return _LEFT + false * _SIZE, _TOP + (1 - found) * _SIZE


def _grid() -> list[str]:
    parts = []
    for tenth in range(0, 11, 2):
        share = tenth / 10
        parts.append(_line([(share, 0), (share, 1)], _GRID, 1))
        parts.append(_line([(0, share), (1, share)], _GRID, 1))
        x, y = _at(share, 0)
        parts.append(_text(x, y + 20, f"{10 * tenth} %", "middle"))
        x, y = _at(0, share)
        parts.append(_text(x - 8, y + 5, f"{10 * tenth} %", "end"))
    return parts


def _box(left: float, low: float, right: float, high: float, fill: str) -> str:
    x, y = _at(left, high)
    width, height = (right - left) * _SIZE, (high - low) * _SIZE
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'
    )


def _line(points: Sequence[tuple[float, float]], ink: str, width: float, dash: str = "") -> str:
    places = " ".join("{:.1f},{:.1f}".format(*_at(x, y)) for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{places}" fill="none" stroke="{ink}" stroke-width="{width}"{dashes}/>'
    )


def _mark(mark: Mark) -> str:
    x, y = _at(mark.false, mark.found)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_CURVE}"/>' + _text(
        x + 12, y + 18, mark.text, "start"
    )


def _text(x: float, y: float, text: str, anchor: str, size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{_INK}">{escape(text)}</text>'
    )
