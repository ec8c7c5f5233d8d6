"""docs/benchmarks.md, made from the newest result of each benchmark. `python tests/benchmarks/page.py` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import figure
from harness import shown

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE, FIGURE = ROOT / "docs" / "benchmarks", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks" / "scale.svg"
HEAD = """# Benchmarks

Made by `make bench`; do not edit. Each benchmark runs our code and its peer in turns, each run in a process of its own, and
compares medians. Only the ratio of one row means anything: other rows ran at other moments under another load. Both sides
must reach the same findings, planted damage included, or the benchmark fails whatever the speed.

| | what | size | ratio | goal | met | counted |
|---|---|---|---|---|---|---|
"""
DETAILS = """
| | side | CPU s | wall s | peak MB | load | runs | measured |
|---|---|---|---|---|---|---|---|
"""


def page(results: list[dict[str, Any]], has_figure: bool) -> str:
    """The whole page as Markdown."""
    text = HEAD + "".join(map(_row, results)) + DETAILS + "".join(map(_details, results))
    notes = [f"* {r['id']}: {n}\n" for r in results for n in r["notes"]]
    if notes:
        text += "\n" + "".join(notes)
    return text + _scale(series()) if has_figure else text


def _scale(found: list[dict[str, Any]]) -> str:
    """The section about sizes: the figure and its numbers."""
    text = "\n## Cost and memory by size\n\n![cost of one item and peak memory by size](benchmarks/scale.svg)\n\n"
    text += "| series | size | µs of CPU for one item | peak MB | load |\n|---|---|---|---|---|\n"
    for one in found:
        for p in one["points"]:
            text += f"| {one['name']} | {p['size']:,.0f} | {p['cost_us']:.2f} | {p['memory_mb']:.0f} | {one['load']:.1f} |\n"
    return text


def _row(r: dict[str, Any]) -> str:
    sign = "≥" if r["higher_is_better"] else "≤"
    within = r["memory_goal_mb"] is None or r["ours_memory_mb"] <= r["memory_goal_mb"]
    met = (r["ratio"] >= r["goal"] if r["higher_is_better"] else r["ratio"] <= r["goal"]) and within
    memory = f", {r['memory_goal_mb']:g} MB" if r["memory_goal_mb"] is not None else ""
    cells = [r["id"], r["title"], r["size"], f"{r['ratio']:.2f}", f"{sign} {r['goal']:g}{memory}", "yes" if met else "no", r["measure"]]
    return "| " + " | ".join(cells) + " |\n"


def _details(r: dict[str, Any]) -> str:
    rows = ""
    for side in ("ours", "peer"):
        figures = [shown(r[f"{side}_{name}"], digits) for name, digits in (("cpu_seconds", 2), ("wall_seconds", 2), ("memory_mb", 0))]
        cells = [r["id"], r[f"{side}_name"], *figures, f"{r['load']:.1f}", str(r["repetitions"]), r["measured_at"]]
        rows += "| " + " | ".join(cells) + " |\n"
    return rows


def results() -> list[dict[str, Any]]:
    """The kept results, by their number."""
    found = [json.loads(f.read_text()) for f in RESULTS.glob("B*.json")]
    return sorted(found, key=lambda r: int(r["id"][1:]))


def series() -> list[dict[str, Any]]:
    """The kept series of sizes."""
    return [json.loads(f.read_text()) for f in sorted(RESULTS.glob("scale-*.json"))]


def write() -> None:
    """Writes the page and its figure."""
    if series():
        FIGURE.write_text(figure.svg(series()))
    PAGE.write_text(page(results(), FIGURE.exists()))


if __name__ == "__main__":
    write()
