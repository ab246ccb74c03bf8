"""Plots as inline SVG: no scripts and nothing from elsewhere; the page's style gives the colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 28, 12, 40
_NICE = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; None interrupts it. `style` is a class of the page's style sheet."""

    name: str
    points: Sequence[tuple[float, float | None]]
    style: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn along an axis, from where to where."""

    label: str
    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(min(max(value, self.low), self.high)) - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Round values for a grid."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        rough = (self.high - self.low) / 5 or 1.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(nice * power for nice in _NICE if nice * power >= rough * 0.999)
        return [step * n for n in range(math.ceil(self.low / step), math.floor(self.high / step + 1e-9) + 1)]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def plot(title: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """Lines over a grid with named axes and a legend."""
    across = _onto(x, _LEFT, WIDTH - _RIGHT)
    up = _onto(y, HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    foot = HEIGHT - _BOTTOM
    parts += [
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        f'<text class="tick end" x="{_LEFT - 8}" y="{up(value) + 4:.1f}">{number(value)}</text>'
        for value in y.ticks()
    ]
    parts += [
        f'<line class="grid" x1="{across(value):.1f}" x2="{across(value):.1f}" y1="{_TOP}" y2="{foot}"/>'
        f'<text class="tick middle" x="{across(value):.1f}" y="{foot + 16}">{number(value)}</text>'
        for value in x.ticks()
    ]
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="label middle" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 6}">{escape(x.label)}</text>'
    )
    parts.append(f'<text class="label middle" transform="translate(14 {middle}) rotate(-90)">{escape(y.label)}</text>')
    parts += [f'<path class="{line.style}" d="{_path(line, across, up)}"/>' for line in lines]
    return "".join([*parts, "</svg>", _legend(lines)])


def number(value: float) -> str:
    """A short figure for an axis: ``0.01``, ``250``, ``12,000``."""
    if value and abs(value) < 1:
        return f"{value:.6f}".rstrip("0")
    return f"{value:,.1f}".removesuffix(".0")


def _onto(axis: Axis, start: float, stop: float) -> Callable[[float], float]:
    return lambda value: start + axis.place(value) * (stop - start)


def _path(line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    commands, drawing = [], False
    for at, value in line.points:
        if value is None:
            drawing = False
            continue
        # A point between two holes would be invisible without the closing stroke to itself.
        commands.append(f"{'L' if drawing else 'M'}{across(at):.1f} {up(value):.1f}" + ("" if drawing else "h.01"))
        drawing = True
    return "".join(commands)


def _legend(lines: Sequence[Line]) -> str:
    entries = (
        f'<span><svg class="key" viewBox="0 0 24 8"><path class="{line.style}" d="M0 4H24"/></svg>'
        f"{escape(line.name)}</span>"
        for line in lines
    )
    return f'<div class="legend">{"".join(entries)}</div>'
