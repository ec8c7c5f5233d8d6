"""How a benchmark is run: each side in a process of its own, in turns, at least three times; the ratio of medians counts.

A side is a Python program of `tests/benchmarks/programs/`. It prints one JSON object as its last line:

    {"items": 50000, "found": ["..."], "cpu_seconds": 1.2, "wall_seconds": 1.4}

`items` is what the cost is divided by (1 when left out). `found` is what the side concluded; both sides of every run must
conclude the same. The seconds are the work alone, without imports; left out, those of the whole process and of the
processes it has waited for count. Peak memory is always the process's own (MB of 2**20 bytes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).with_name("programs")
RESULTS = ROOT / "docs" / "benchmarks"  # one file a benchmark; page.py makes docs/benchmarks.md of them
REPETITIONS = 3
Measure = Literal["cpu", "wall"]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """One of the two: a program of `programs/` by its file name, and its arguments."""

    name: str
    program: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run of one side. Seconds are for all items together."""

    wall_seconds: float
    cpu_seconds: float
    memory_mb: float
    items: float
    found: Any
    extra: dict[str, Any]

    def cost(self, measure: Measure) -> float:
        """Seconds for one item."""
        return (self.cpu_seconds if measure == "cpu" else self.wall_seconds) / self.items


@dataclass(frozen=True)
class Result:
    """One benchmark as `bench.json` has it. `ours` and `peer`: median seconds for one item, of the measure that counts."""

    id: str
    title: str
    size: str
    measure: Measure
    ratio: float
    goal: float
    higher_is_better: bool
    ours: float
    peer: float
    load: float
    ours_name: str
    peer_name: str
    ours_cpu_seconds: float | None
    peer_cpu_seconds: float | None
    ours_wall_seconds: float
    peer_wall_seconds: float
    ours_memory_mb: float | None
    peer_memory_mb: float | None
    repetitions: int
    measured_at: str
    memory_goal_mb: float | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def met(self) -> bool:
        """Whether the ratio reaches its goal, and the memory stays below its own."""
        reached = self.ratio >= self.goal if self.higher_is_better else self.ratio <= self.goal
        return reached and (self.memory_goal_mb is None or (self.ours_memory_mb or 0) <= self.memory_goal_mb)

    def line(self) -> str:
        """One line for a person."""
        sign = ">=" if self.higher_is_better else "<="
        return (
            f"{self.id}: ratio {self.ratio:.2f} (goal {sign} {self.goal:g}) by {self.measure}; "
            f"CPU {shown(self.ours_cpu_seconds)} against {shown(self.peer_cpu_seconds)} s, "
            f"wall {shown(self.ours_wall_seconds)} against {shown(self.peer_wall_seconds)} s, "
            f"memory {shown(self.ours_memory_mb, 0)} against {shown(self.peer_memory_mb, 0)} MB, load {self.load:.1f}"
        )


def shown(value: float | None, digits: int = 2) -> str:
    """A figure for a person; a dash where nothing was measured."""
    return "-" if value is None else f"{value:.{digits}f}"


def environment() -> dict[str, str]:
    """Variables of a program: it imports the project, its samples and side.py."""
    path = os.pathsep.join(str(ROOT / part) for part in ("include", "plugins", "tests/unit", "tests/postgres", "tests/benchmarks"))
    return {**os.environ, "PYTHONPATH": path}


def run(side: Side, timeout_seconds: float = 300) -> Run:
    """One run of a side in a process of its own. AssertionError with the program's words when it fails."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / side.program), *side.arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    wall = time.monotonic() - began
    assert done.returncode == 0, f"{side.name} ended with {done.returncode}: {done.stderr[-2000:]}"
    said = json.loads(done.stdout.strip().splitlines()[-1])
    whole_cpu = said.pop("process_cpu_seconds")
    return Run(
        wall_seconds=said.pop("wall_seconds", wall),
        cpu_seconds=said.pop("cpu_seconds", whole_cpu),
        memory_mb=said.pop("memory_mb"),
        items=said.pop("items", 1),
        found=said.pop("found", None),
        extra=said,
    )


def compare(
    id_: str,
    title: str,
    size: str,
    ours: Side,
    peer: Side,
    *,
    goal: float,
    measure: Measure,
    higher_is_better: bool = True,
    memory_goal_mb: float | None = None,
    repetitions: int = REPETITIONS,
    notes: tuple[str, ...] = (),
    note: Note = print,
) -> tuple[Result, list[Run], list[Run]]:
    """Runs both sides in turns and keeps the result for `bench.json` and the page. Raises when they conclude differently.

    The ratio is peer / ours where higher is better (so many times cheaper) and ours / peer where lower is (a share).
    """
    assert repetitions >= REPETITIONS
    runs: tuple[list[Run], list[Run]] = ([], [])
    loads = [os.getloadavg()[0]]
    for number in range(repetitions):
        for index, side in enumerate((ours, peer)):
            runs[index].append(run(side))
            last = runs[index][-1]
            figures = f"{last.cpu_seconds:.2f} s CPU, {last.wall_seconds:.2f} s, {last.memory_mb:.0f} MB"
            note(f"{id_} {number + 1}/{repetitions} {side.name}: {figures}")
        loads.append(os.getloadavg()[0])
    conclusions = {json.dumps(r.found, sort_keys=True) for side in runs for r in side}
    assert len(conclusions) == 1, f"{id_}: the sides conclude differently: {sorted(conclusions)}"[:3000]
    mine, theirs = (median(r.cost(measure) for r in side) for side in runs)
    middle = {
        f"{name}_{field_}": median(getattr(r, field_) for r in side)
        for name, side in zip(("ours", "peer"), runs, strict=True)
        for field_ in ("cpu_seconds", "wall_seconds")
    }
    result = Result(
        id=id_,
        title=title,
        size=size,
        measure=measure,
        ratio=theirs / mine if higher_is_better else mine / theirs,
        goal=goal,
        higher_is_better=higher_is_better,
        ours=mine,
        peer=theirs,
        load=max(loads),
        ours_name=ours.name,
        peer_name=peer.name,
        ours_memory_mb=max(r.memory_mb for r in runs[0]),
        peer_memory_mb=max(r.memory_mb for r in runs[1]),
        repetitions=repetitions,
        measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        memory_goal_mb=memory_goal_mb,
        notes=notes,
        **middle,
    )
    keep(result)
    note(result.line())
    return result, *runs


def keep(result: Result) -> None:
    """Writes one benchmark to the state folder's `bench.json` and beside the page, which `make bench` writes anew from there."""
    entry = {name: round(value, 9) if isinstance(value, float) else value for name, value in asdict(result).items()}
    home = Path(os.environ.get("DALP_DR_HOME") or ROOT / ".dalp-dr")
    home.mkdir(parents=True, exist_ok=True)
    whole = home / "bench.json"
    known = json.loads(whole.read_text()) if whole.exists() else {}
    whole.write_text(json.dumps({**known, result.id: entry}, indent=1, sort_keys=True) + "\n")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{result.id}.json").write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n")


def scale(name: str, item: str, program: str, arguments: Iterable[int], runs: int = REPETITIONS) -> list[dict[str, float]]:
    """Runs a program with one size after another, `runs` times round; keeps and gives the median cost of one item and the peak memory.

    The series becomes a line of the figure on the page.
    """
    sizes = list(arguments)
    measured: dict[int, list[Run]] = {size: [] for size in sizes}
    for _ in range(runs):
        for size in sizes:
            measured[size].append(run(Side(name, program, (str(size),))))
    points = [
        {
            "size": found[0].items,
            "cost_us": round(median(r.cost("cpu") for r in found) * 1e6, 3),
            "memory_mb": max(r.memory_mb for r in found),
        }
        for found in measured.values()
    ]
    entry = {"name": name, "item": item, "points": points, "load": os.getloadavg()[0], "runs": runs}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"scale-{name.replace(' ', '-')}.json").write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n")
    return points
