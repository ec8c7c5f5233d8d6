"""The phases of set-up: what each makes, whether it is needed, and two lanes that run them side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dalp_dr_lab import state
from dalp_dr_lab.cluster import build, rootfs
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.progress import say
from dalp_dr_lab.setup import environment, packages, tools

CLUSTER = Cluster.of(0)
BOOTSTRAP = Path(__file__).resolve().parents[1] / "bootstrap.py"
REPORT_SECONDS = 20.0
MINIATURE_IMAGE = CLUSTER.images / "docker.io_local_dalp_1.tar"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of set-up. `seconds` is what it takes on 2 cores the first time."""

    name: str
    title: str
    seconds: int
    needed: Callable[[], bool]
    run: Callable[[], None]
    after: tuple[str, ...] = ()
    builds: bool = False  # keeps all cores busy


def _go() -> str:
    found = tools.find_go()
    if not found:
        raise LabError("There is no Go command of version 1.26 or newer. Run `make setup` again.")
    return found


def _operators() -> None:
    for program in build.missing_operators(CLUSTER):
        build.build_operator(CLUSTER, program, _go())
    build.keep_manifests(CLUSTER, _go())


def _root_file_systems() -> None:
    rootfs.base(CLUSTER)
    rootfs.postgres(CLUSTER)


def _images() -> None:
    rootfs.pause_image(CLUSTER)
    rootfs.operator_images(CLUSTER)


def _tools() -> None:
    if not tools.has_anvil():
        tools.get_anvil()
    if not tools.has_helm():
        tools.get_helm()


def _miniature_image() -> None:
    words = [str(environment.folder() / "bin/python"), "-m", "dalp_dr_lab.miniature.image"]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(BOOTSTRAP.parents[1])}, check=False)
    if done.returncode:
        raise LabError("The image of the miniature DALP was not made; the reason is above. Run `make setup` again.")


def _compiles() -> bool:
    return not build.cluster_is_built(CLUSTER) or not _operators_built()


def _operators_built() -> bool:
    return not build.missing_operators(CLUSTER) and build.manifests_are_kept(CLUSTER)


PHASES = (
    Phase(
        name="packages",
        title="Debian packages",
        seconds=30,
        needed=lambda: bool(packages.missing()),
        run=packages.install,
    ),
    Phase(
        name="go",
        title="the Go toolchain",
        seconds=20,
        needed=lambda: _compiles() and not tools.find_go(),
        run=tools.get_go,
    ),
    Phase(
        name="kubernetes",
        title="compile Kubernetes, etcd and CoreDNS",
        seconds=300,
        needed=lambda: not build.cluster_is_built(CLUSTER),
        run=lambda: build.build_cluster(CLUSTER, _go()),
        after=("go",),
        builds=True,
    ),
    Phase(
        name="operators",
        title="compile Velero, CloudNativePG and the Barman Cloud plugin",
        seconds=360,
        needed=lambda: not _operators_built(),
        run=_operators,
        after=("go",),
        builds=True,
    ),
    Phase(
        name="environment",
        title="Python packages",
        seconds=90,
        needed=lambda: not environment.is_ready(),
        run=environment.make,
    ),
    Phase(
        name="tools",
        title="anvil, helm, kubectl",
        seconds=10,
        needed=lambda: not (tools.has_anvil() and tools.has_helm()),
        run=_tools,
    ),
    Phase(
        name="rootfs",
        title="Debian root file systems with PostgreSQL 17",
        seconds=80,
        needed=lambda: not rootfs.are_made(CLUSTER),
        run=_root_file_systems,
        after=("packages",),
    ),
    Phase(
        name="miniature",
        title="image of the miniature DALP",
        seconds=40,
        needed=lambda: not MINIATURE_IMAGE.exists(),
        run=_miniature_image,
        after=("environment", "rootfs"),
    ),
    Phase(
        name="images",
        title="images of the operators and of PostgreSQL",
        seconds=15,
        needed=lambda: not rootfs.images_are_made(CLUSTER),
        run=_images,
        after=("kubernetes", "operators", "rootfs"),
    ),
)
FAST = ("environment",)


def lanes(phases: Sequence[Phase]) -> tuple[list[Phase], list[Phase]]:
    """What keeps the cores busy and what waits for the network, each in order; they run side by side."""
    return [p for p in phases if p.builds or p.name in ("go", "images")], [
        p for p in phases if not p.builds and p.name not in ("go", "images")
    ]


class Runner:
    """Runs phases in two lanes, each phase as a process of its own with a log; stops at the first failure."""

    def __init__(self, phases: Sequence[Phase], logs: Path) -> None:
        self.phases = phases
        self.logs = logs
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self._done = {phase.name: threading.Event() for phase in phases}
        self._running: dict[str, float] = {}

    def run(self) -> None:
        """Run everything; LabError with the last words of the phase that failed."""
        self.logs.mkdir(parents=True, exist_ok=True)
        threads = [threading.Thread(target=self._lane, args=(lane,), daemon=True) for lane in lanes(self.phases) if lane]
        for thread in threads:
            thread.start()
        begin = reported = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(timeout=0.2)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                say(f"{reported - begin:7.0f} s  ... {self._now(reported)}")
        if self.failed:
            raise LabError("\n".join(self.failed))

    def _now(self, when: float) -> str:
        expected = {phase.name: phase for phase in self.phases}
        return "; ".join(
            f"{expected[name].title} ({when - start:.0f} s of about {expected[name].seconds})"
            for name, start in list(self._running.items())
        )

    def _lane(self, lane: Sequence[Phase]) -> None:
        for phase in lane:
            for name in phase.after:
                while name in self._done and not self._done[name].wait(0.5):
                    if self.failed:
                        return
            if self.failed:
                return
            self._one(phase)

    def _one(self, phase: Phase) -> None:
        begin = self._running[phase.name] = time.monotonic()
        log = self.logs / f"{phase.name}.log"
        with log.open("w") as output:
            words = [sys.executable, str(BOOTSTRAP), "phase", phase.name]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
        self.seconds[phase.name] = time.monotonic() - begin
        del self._running[phase.name]
        if done.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            self.failed.append(f"{phase.title} failed after {self.seconds[phase.name]:.0f} s ({log}):\n{tail}")
            say(f"{self.seconds[phase.name]:7.1f} s  {phase.title}: FAILED; what runs beside it is finished first")
            return
        say(f"{self.seconds[phase.name]:7.1f} s  {phase.title}")
        self._done[phase.name].set()


def needed(only: Sequence[str] | None = None) -> list[Phase]:
    """The phases that have something to do."""
    return [phase for phase in PHASES if (only is None or phase.name in only) and phase.needed()]


def by_name() -> Mapping[str, Phase]:
    """All phases."""
    return {phase.name: phase for phase in PHASES}


def logs() -> Path:
    """Folder of the phases' logs."""
    return state.caches() / "logs"
