"""Pictures of a drill as SVG text. Colours are attributes for print and classes for the page's light and dark
themes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from dalp_dr.report.page import Bar, Point
from dalp_dr.text import seconds

WIDTH, LEFT, ROW = 720, 190, 24
INK, QUIET, LINE = "#1c2430", "#5b6675", "#d5dae1"
GOOD, BAD, ACCENT, CALM = "#17795e", "#b3372f", "#c4612a", "#8fa3b8"
TICKS = (0, 10, 60, 600, 3600, 21600, 86400, 604800, 2592000)


def timeline(bars: Sequence[Bar], font: str = "inherit") -> str:
    """Phases one below the other on one axis; the critical path in the accent colour, waiting for people hatched
    apart.
    """
    if not bars:
        return ""
    machine = [bar for bar in bars if not bar.waiting]
    end = max((bar.end_seconds for bar in machine), default=0) or 1
    scale = (WIDTH - LEFT - 90) / end
    step = _step(end)
    height = ROW * len(bars) + 34
    parts = [
        _line(LEFT + at * scale, 20, LEFT + at * scale, height - 10) + _text(LEFT + at * scale, 13, _clock(at), QUIET, "quiet", "middle")
        for at in _range(0, end, step)
    ]
    for i, bar in enumerate(bars):
        y = 28 + i * ROW
        label = ("↳ " if bar.depth else "") + bar.name.replace("_", " ")
        parts.append(_text(LEFT - 10, y + 13, _shorten(label, 30), INK, "ink", "end"))
        took = seconds(bar.end_seconds - bar.start_seconds)
        if bar.waiting:  # drawn at its own scale: people may take days
            parts.append(_text(LEFT, y + 13, f"{took}, not part of the recovery clock", QUIET, "quiet"))
            continue
        x, width = LEFT + bar.start_seconds * scale, max(2.0, (bar.end_seconds - bar.start_seconds) * scale)
        fill, name = (ACCENT, "critical") if bar.critical else (CALM, "calm")
        thin = 4 if bar.depth else 0
        parts.append(_rect(x, y + thin, width, ROW - 8 - 2 * thin, fill, name))
        parts.append(_text(x + width + 6, y + 13, took, QUIET, "quiet"))
    return _svg(height, parts, font, "Timeline of the drill's phases")


def skew(points: Sequence[Point], font: str = "inherit") -> str:
    """How old each surface's recovered point is at the incident time (right edge), with its target, on a
    logarithmic axis.
    """
    if not points:
        return ""
    largest = max([p.target_seconds for p in points] + [p.age_seconds or 0 for p in points])
    span = math.log10(1 + largest) or 1
    right = WIDTH - 100

    def at(age: float) -> float:
        return right - math.log10(1 + age) / span * (right - LEFT)

    height = ROW * len(points) + 50
    parts = [
        _line(at(t), 20, at(t), height - 22) + _text(at(t), 13, "incident" if t == 0 else f"-{_short(t)}", QUIET, "quiet", "middle")
        for t in TICKS
        if t <= largest
    ]
    for i, point in enumerate(points):
        y = 38 + i * ROW
        parts.append(_text(LEFT - 10, y + 4, point.surface, INK, "ink", "end"))
        limit = at(point.target_seconds)
        parts.append(f'<path class="quiet-line" d="M{limit:.1f} {y - 8} v16" stroke="{QUIET}" stroke-width="2"/>')
        if point.age_seconds is None:
            parts.append(_text(right + 8, y + 4, "not known", BAD, "bad"))
            continue
        met = point.age_seconds <= point.target_seconds
        colour, name = (GOOD, "good") if met else (BAD, "bad")
        x = at(point.age_seconds)
        parts.append(f'<path class="{name}-line" d="M{x:.1f} {y} H{right}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<circle class="{name}" cx="{x:.1f}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(_text(right + 8, y + 4, seconds(point.age_seconds), colour, name))
    known = [p.age_seconds for p in points if p.age_seconds is not None]
    if len(known) > 1:
        widest = seconds(max(known) - min(known))
        spread = f"Skew between the oldest and the youngest point: {widest}. A bar marks each target."
        parts.append(_text(LEFT, height - 6, spread, QUIET, "quiet"))
    return _svg(height, parts, font, "Recovered points before the incident time")


def trend(runs: Sequence[tuple[str, float, bool]], target_seconds: float, font: str = "inherit") -> str:
    """Achieved RTO of drills, oldest first, against the target line."""
    if len(runs) < 2:
        return ""
    top, height = max([target_seconds, *(r[1] for r in runs)]) * 1.1, 150
    step = (WIDTH - LEFT - 100) / max(1, len(runs) - 1)

    def y(value: float) -> float:
        return 120 - value / top * 100

    line = y(target_seconds)
    parts = [
        f'<path class="quiet-line" d="M{LEFT} {line:.1f} H{WIDTH - 90}" stroke="{QUIET}" stroke-dasharray="4 4"/>',
        _text(LEFT - 10, line + 4, f"target {seconds(target_seconds)}", QUIET, "quiet", "end"),
        _line(LEFT, 120, WIDTH - 90, 120),
    ]
    path = " ".join(f"{'M' if i == 0 else 'L'}{LEFT + i * step:.1f} {y(r[1]):.1f}" for i, r in enumerate(runs))
    parts.append(f'<path class="calm-line" d="{path}" fill="none" stroke="{CALM}" stroke-width="2"/>')
    for i, (drill, value, ready) in enumerate(runs):
        colour, name = (GOOD, "good") if ready else (BAD, "bad")
        parts.append(
            f'<circle class="{name}" cx="{LEFT + i * step:.1f}" cy="{y(value):.1f}" r="5" fill="{colour}">'
            f"<title>{escape(drill)}: {escape(seconds(value))}</title></circle>"
        )
    parts.append(_text(LEFT + (len(runs) - 1) * step, y(runs[-1][1]) - 12, seconds(runs[-1][1]), INK, "ink", "middle"))
    parts.append(_text(LEFT, 140, runs[0][0], QUIET, "quiet", "middle"))
    parts.append(_text(LEFT + (len(runs) - 1) * step, 140, runs[-1][0], QUIET, "quiet", "middle"))
    return _svg(height, parts, font, "Achieved RTO of the last drills")


def _svg(height: float, parts: Sequence[str], font: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="100%" '
        f'font-family={quoteattr(font)} font-size="12" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, fill: str, name: str, anchor: str = "start") -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="grid" d="M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}" stroke="{LINE}"/>'


def _rect(x: float, y: float, width: float, height: float, fill: str, name: str) -> str:
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="{fill}"/>'


def _step(end: float) -> float:
    return next((s for s in (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400) if end / s <= 8), 604800)


def _range(start: float, end: float, step: float) -> list[float]:
    return [start + i * step for i in range(int((end - start) / step) + 1)]


def _clock(at: float) -> str:
    whole = round(at)
    return f"{whole // 60}:{whole % 60:02d}" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def _short(age: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if age >= size:
            return f"{age / size:g} {unit}"
    return f"{age:g} s"


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
