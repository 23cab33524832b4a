"""Plots of an evaluation as inline SVG; colours and fonts are the page's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from engine.evaluation.comparison import Report

WIDTH = 760
LEFT, RIGHT = 190, 60
ROW = 26
TALL = 220
MOST_BARS = 690


def intervals_plot(report: Report) -> str:
    """Each measure's mean and interval, or its change where there are two configurations."""
    compared = len(report.configurations) > 1
    rows: list[tuple[str, float, float, float]] = []
    for found in report.measures:
        if found.change:
            rows.append((found.measure, found.change.value, found.change.low, found.change.high))
        else:
            rows += [(found.measure, m.value, m.low, m.high) for m in found.means.values()]
    low = min(0.0, *(row[2] for row in rows))
    high = max(0.0 if compared else 1.0, *(row[3] for row in rows))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return LEFT + (value - low) / span * (WIDTH - LEFT - RIGHT)

    height = ROW * len(rows) + 24
    parts = [_line(x(0), 4, x(0), height - 20, "zero")]
    for n, (name, value, first, last) in enumerate(rows):
        y = ROW * n + 18
        kind = "flat" if not compared or first <= 0 <= last else "win" if first > 0 else "loss"
        parts += [
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
            _line(x(first), y, x(last), y, kind, 2),
            f'<circle class="{kind}" cx="{x(value):.1f}" cy="{y}" r="4.5"/>',
            f'<text x="{x(last) + 8:.1f}" y="{y + 4}">{value:+.3f}</text>'
            if compared
            else f'<text x="{x(last) + 8:.1f}" y="{y + 4}">{value:.3f}</text>',
        ]
    label = "change" if compared else "mean"
    return _svg(height, parts, f"{label} of each measure with its interval")


def differences_plot(differences: Sequence[float]) -> str:
    """A bar for each query, the greatest loss first."""
    most = max((abs(value) for value in differences), default=0.0) or 1.0
    return _bars(differences, -most, most, "change of each query, the greatest loss first")


def values_plot(values: Sequence[float]) -> str:
    """A bar for each query, the worst first."""
    return _bars(values, 0.0, max(values, default=1.0) or 1.0, "value of each query, worst first")


def points_plot(means: Sequence[float], measure: str) -> str:
    """A dot for each combination that was tried, the best first."""
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    wide = WIDTH - 70
    parts = _levels(low, high)
    for n, mean in enumerate(means):
        x = 60 + wide * (n + 0.5) / len(means)
        y = 10 + (high - mean) / span * (TALL - 30)
        kind = "win" if n == 0 else "flat"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    return _svg(TALL, parts, f"{measure} of each combination, the best first")


def _bars(values: Sequence[float], low: float, high: float, label: str) -> str:
    span = high - low
    values = _thinned(values)
    wide = (WIDTH - 70) / max(1, len(values))

    def y(value: float) -> float:
        return 10 + (high - value) / span * (TALL - 30)

    parts = _levels(low, high)
    for n, value in enumerate(values):
        top, bottom = sorted((y(value), y(0.0)))
        kind = "win" if low < 0 < value else "loss" if value < 0 else "flat"
        parts.append(
            f'<rect class="{kind}" x="{60 + n * wide:.2f}" y="{top:.1f}" '
            f'width="{max(0.5, wide * 0.9):.2f}" height="{bottom - top:.1f}"/>'
        )
    parts.append(_line(60, y(0.0), WIDTH - 10, y(0.0), "zero"))
    return _svg(TALL, parts, label)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """As many values as there is room for, evenly taken from ordered ones, both ends kept."""
    if len(values) <= MOST_BARS:
        return values
    step = (len(values) - 1) / (MOST_BARS - 1)
    return [values[round(n * step)] for n in range(MOST_BARS)]


def _levels(low: float, high: float) -> list[str]:
    """Lines at the ends and the middle, with their values."""
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = 10 + (1 - share) * (TALL - 30)
        value = low + share * (high - low)
        parts.append(_line(60, y, WIDTH - 10, y, "axis"))
        parts.append(f'<text x="52" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    return parts


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, width: float = 1) -> str:
    return (
        f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke-width="{width:g}"/>'
    )


def _svg(height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}">' + "\n".join(parts) + "</svg>"
    )
