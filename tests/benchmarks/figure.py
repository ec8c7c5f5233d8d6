"""One figure of cost and memory by size, as SVG: each series on its own scale of sizes from the smallest to the largest."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 64, 40, 60
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b2d8b")
PANELS = (("cost", "µs of CPU for one item"), ("memory", "peak memory, MB"))
Points = list[tuple[float, float]]


def svg(series: list[dict[str, Any]]) -> str:
    """`series`: {name, item, points: [{size, cost_us, memory_mb}]}. Both panels begin at zero, so that flat looks flat."""
    panels = "".join(_panel(number, *panel, series) for number, panel in enumerate(PANELS))
    names = "".join(
        f'<text x="{LEFT + 170 * n}" y="{TOP + HEIGHT + 62}" fill="{COLOURS[n % len(COLOURS)]}">● {escape(s["name"])}</text>'
        for n, s in enumerate(series)
    )
    whole = f'width="{2 * (WIDTH + LEFT) + GAP}" height="{TOP + HEIGHT + 80}"'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {whole} font-family="sans-serif" font-size="12">{background}{panels}{names}</svg>\n'


def _panel(number: int, kind: str, title: str, series: list[dict[str, Any]]) -> str:
    key = {"cost": "cost_us", "memory": "memory_mb"}[kind]
    left = LEFT + number * (WIDTH + GAP)
    sizes = sorted({p["size"] for s in series for p in s["points"]})
    top = max(p[key] for s in series for p in s["points"]) * 1.15
    low, high = math.log10(sizes[0]), math.log10(sizes[-1]) if len(sizes) > 1 else math.log10(sizes[0]) + 1

    def at(size: float, value: float) -> tuple[float, float]:
        return left + (math.log10(size) - low) / (high - low) * (WIDTH - 40), TOP + HEIGHT - value / top * HEIGHT

    text = f'<text x="{left}" y="{TOP - 16}" font-weight="bold">{title}</text>'
    text += f'<path d="M{left} {TOP}V{TOP + HEIGHT}H{left + WIDTH - 40}" fill="none" stroke="#444"/>'
    for step in range(5):
        value = top * step / 4
        y = at(sizes[0], value)[1]
        text += f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{value:.3g}</text>'
    for size in sizes:
        x = at(size, 0)[0]
        text += f'<text x="{x:.0f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{size / 1000:g}k</text>'
    for n, one in enumerate(series):
        points = [at(p["size"], p[key]) for p in one["points"]]
        colour = COLOURS[n % len(COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        text += f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        text += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points)
    return text
