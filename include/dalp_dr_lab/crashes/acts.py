"""How things die here: SIGKILL, SIGSTOP and restarts, each by the pid of one known process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalp_dr import naming
from dalp_dr_lab import airflow, processes
from dalp_dr_lab.airflow.components import DATABASE
from dalp_dr_lab.cluster import lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.crashes.crash import Scene
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.miniature import source

FROZEN_SECONDS = 75  # longer than the lab's heartbeat timeout of 60 s
KUBELET_SECONDS = 60
PROCESS_SECONDS = 60


def kill_component(name: str) -> Callable[[Scene], None]:
    """SIGKILL one of Airflow's components, then start it as a supervisor would."""

    def act(scene: Scene) -> None:
        pid = processes.alive(scene.lab.folder)[f"airflow-{name}"]
        os.kill(pid, signal.SIGKILL)
        airflow.up(scene.lab)

    return act


def restart_database(scene: Scene) -> None:
    """Airflow's metadata database ends every connection at once and is started again."""
    processes.stop(scene.lab.folder, [DATABASE], how=signal.SIGINT, grace_seconds=15)
    airflow.up(scene.lab)


def kill_task(task_id: str, created: Callable[[Scene], Any]) -> Callable[[Scene], None]:
    """SIGKILL the process of a task as soon as it has created something, so that it cannot have said so."""

    def act(scene: Scene) -> None:
        pid = task_process(scene, task_id)
        source.wait(f"what {task_id} creates", lambda: created(scene), PROCESS_SECONDS)
        os.kill(pid, signal.SIGKILL)

    return act


def freeze_task(task_id: str) -> Callable[[Scene], None]:
    """SIGSTOP a task and its supervisor for longer than the heartbeat timeout, then SIGCONT: the late one must not write."""

    def act(scene: Scene) -> None:
        child = task_process(scene, task_id)
        family = [parent_of(child), child]
        births = {pid: processes.birth(pid) for pid in family}
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        for pid in family:
            if processes.birth(pid) == births[pid] is not None:
                os.kill(pid, signal.SIGCONT)

    return act


def kill_api_server(scene: Scene) -> None:
    """SIGKILL the Kubernetes API server, then start it again."""
    cluster = Cluster.of(0)
    os.kill(processes.alive(cluster.run)["kube-apiserver"], signal.SIGKILL)
    lifecycle.revive(cluster, "kube-apiserver")


def stop_kubelet(scene: Scene) -> None:
    """SIGSTOP the kubelet for a minute."""
    pid = processes.alive(Cluster.of(0).run)["kubelet"]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(KUBELET_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)


def kill_pod(namespace: str, selector: str) -> Callable[[Scene], None]:
    """A controller's pod ends without a word; its Deployment starts another one."""

    def act(scene: Scene) -> None:
        scene.lab.kubectl("-n", namespace, "delete", "pod", "-l", selector, "--grace-period=0", "--force", "--wait=false")

    return act


def probe_pods(scene: Scene) -> list[str]:
    """Pods that look into the restored volumes."""
    listed = source.objects(scene.lab, "", "pods", "-A", "-l", f"{naming.LABEL_DRILL}={scene.drill_id}")
    return [p["metadata"]["name"] for p in listed if p["metadata"]["name"].startswith("drill-volume-")]


def task_process(scene: Scene, task_id: str) -> int:
    """Pid of the process that runs a task now; its title has the task instance's id. LabError when there is none in time."""
    end = time.monotonic() + PROCESS_SECONDS
    while time.monotonic() < end:
        wanted = f"airflow worker -- {scene.api.instance_id(scene.run, task_id)}"
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and title(int(folder.name)) == wanted:
                return int(folder.name)
        time.sleep(0.5)
    raise LabError(f"No process of task {task_id} was seen within {PROCESS_SECONDS} s.")


def title(pid: int) -> str:
    """The title a process has given itself; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """The parent's pid."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
