"""B7: a whole drill takes at most 1.35 times the work on its critical path; read from the newest green drill of this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import ROOT, Result, keep

HALF_AN_HOUR = 1800.0


@dataclass(frozen=True)
class Work:
    """One attempt of one task: from its beginning to the last record it wrote, clock of its worker."""

    task: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


def works(drill: Path) -> list[Work]:
    """The work that the drill's sealed records tell of."""
    found: dict[tuple[str, int], Work] = {}
    for file in sorted((drill / "bundle" / "records").glob("*.json")):
        record = json.loads(file.read_text())
        if record["kind"] == "attempt":
            continue  # says that an attempt began, not what it did
        key = record["task_id"], record["attempt"]
        one = Work(key[0], moment(record["began_at"] or record["recorded_at"]), moment(record["recorded_at"]))
        before = found.get(key, one)
        found[key] = Work(key[0], min(before.began, one.began), max(before.ended, one.ended))
    return list(found.values())


def critical_path(found: list[Work]) -> list[Work]:
    """From the last work backwards: each time the latest one that had ended before this one began."""
    path = [max(found, key=lambda w: w.ended)]
    while before := [w for w in found if w.ended <= path[-1].began and w is not path[-1]]:
        path.append(max(before, key=lambda w: w.ended))
    return path[::-1]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def newest_green_drill() -> Path | None:
    """A quarterly drill of the state folder that ended READY."""
    home = Path(os.environ.get("DALP_DR_HOME") or ROOT / ".dalp-dr") / "drills"
    green = {
        file.parent.resolve(): summary["started_at"]
        for file in home.glob("*/summary.json")
        if (summary := json.loads(file.read_text()))["decision"] == "READY" and summary["dag_id"] == "quarterly_drill"
    }
    return max(green, key=lambda drill: green[drill], default=None)


def test_the_path_is_the_work_that_others_waited_for() -> None:
    def work(task: str, began: int, ended: int) -> Work:
        return Work(task, *(datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in (began, ended)))

    a, b, c, d = work("a", 0, 10), work("b", 11, 13), work("c", 11, 30), work("d", 32, 40)
    assert [w.task for w in critical_path([d, b, a, c])] == ["a", "c", "d"]


def test_a_drill_is_hardly_longer_than_its_work() -> None:
    drill = newest_green_drill()
    if drill is None:
        print("B7: no drill of this machine ended READY, so nothing is measured. Run `make drill` first.")
        return
    found = works(drill)
    path = critical_path(found)
    work, wall = sum(w.seconds for w in path), (path[-1].ended - path[0].began).total_seconds()
    idle = wall - work
    result = Result(
        id="B7",
        title="a whole drill on the lab, against the work on its critical path",
        size=f"{len(found)} tasks, {len(path)} on the path, {work:.0f} s of work",
        measure="wall",
        ratio=wall / work,
        goal=1.35,
        higher_is_better=False,
        ours=wall,
        peer=work,
        load=os.getloadavg()[0],
        ours_name="first record to last",
        peer_name="work on the critical path",
        ours_cpu_seconds=None,
        peer_cpu_seconds=None,
        ours_wall_seconds=wall,
        peer_wall_seconds=work,
        ours_memory_mb=None,
        peer_memory_mb=None,
        repetitions=1,
        measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        notes=(
            f"drill {drill.name}: {idle:.0f} s between tasks; beside 30 minutes of work that is a ratio of {1 + idle / HALF_AN_HOUR:.2f}",
            "one drill, measured when it ran; the load is that of this moment",
        ),
    )
    keep(result)
    print(result.line())
    assert result.met, result.line()
