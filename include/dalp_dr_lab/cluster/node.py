"""The node: a network and a mount namespace held by a sleeping process, joined to this machine by a veth pair."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dalp_dr_lab import processes, state
from dalp_dr_lab.cluster.configuration import MOUNTS
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "memory", "pids")
T = TypeVar("T")


def sh(*words: object, check: bool = True, input: str | None = None) -> str:
    """Run a program and return its output; LabError with its words when it fails and `check` is set."""
    done = subprocess.run([str(word) for word in words], input=input, capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(map(str, words[:6]))} failed ({done.returncode}): {said}")
    return done.stdout


def make(cluster: Cluster, wait: Callable[[str, Callable[[], object], float], None]) -> None:
    """Make the node's namespaces, cable, addresses and routes."""
    make_cgroups(cluster)
    binds = [f"mkdir -p {to}; mount --bind '{cluster.run}/mount/{name}' {to}" for name, to in MOUNTS.items()]
    script = "\n".join(
        [
            *("set -e", "mount --make-rshared /", "mkdir -p /run/netns /run/containerd"),
            *("mount -t tmpfs tmpfs /run/netns", "mount -t tmpfs tmpfs /run/containerd", *binds),
            *("ip link set lo up", "sysctl -qw net.ipv4.ip_forward=1", f"touch '{cluster.run}/node-ready'"),
            "exec sleep infinity",
        ]
    )
    words = ["unshare", "--net", "--mount", "--propagation=private", "sh", "-c", script]
    pid = processes.spawn(cluster.run, "node", words, cwd=Path("/"))
    wait("the node's namespaces", (cluster.run / "node-ready").exists, 10)
    with state.change(cluster.run) as now:
        now["notes"]["mounts"] = os.readlink(f"/proc/{pid}/ns/mnt")
    inside = ("nsenter", "--net", f"--target={pid}", "ip")
    sh("ip", "link", "add", cluster.link, "type", "veth", "peer", "name", "node0", "netns", pid)
    sh("ip", "address", "add", f"{cluster.host_ip}/24", "dev", cluster.link)
    sh("ip", "link", "set", cluster.link, "up")
    sh(*inside, "address", "add", f"{cluster.node_ip}/24", "dev", "node0")
    sh(*inside, "link", "set", "node0", "up")
    sh(*inside, "route", "add", "default", "via", cluster.host_ip)
    for network in (cluster.pods, cluster.services):
        sh("ip", "route", "add", network, "via", cluster.node_ip)


def make_cgroups(cluster: Cluster) -> None:
    """Make the pods' root group: in every hierarchy of version 1, or in the one of version 2 (untried so far)."""
    if (CGROUPS / "cgroup.controllers").exists():
        group = CGROUPS / cluster.cgroup
        group.mkdir(exist_ok=True)
        for name in CONTROLLERS:
            for folder in (CGROUPS, group):
                _enable(folder, name)
        return
    for controller in CGROUPS.iterdir():
        if (controller / "tasks").exists():
            group = controller / cluster.cgroup
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (group / name).exists():
                    (group / name).write_text((controller / name).read_text())


def _enable(folder: Path, controller: str) -> None:
    try:
        (folder / "cgroup.subtree_control").write_text(f"+{controller}")
    except OSError as error:
        raise LabError(
            f"The control group {folder} cannot hand down {controller} ({error.strerror}). "
            "In a container, start it privileged and with its own cgroup namespace."
        ) from error


def remove_traces(cluster: Cluster) -> None:
    """Remove the cable (its addresses and routes go with it) and the pods' control groups."""
    if Path(f"/sys/class/net/{cluster.link}").exists():
        sh("ip", "link", "delete", cluster.link, check=False)
    for network in _networks(cluster):
        sh("ip", "route", "delete", "unreachable", network, check=False)
    for folder in [CGROUPS / cluster.cgroup, *CGROUPS.glob(f"*/{cluster.cgroup}")]:
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                continue


def dead_end(cluster: Cluster) -> None:
    """Lead nowhere what is sent to a cluster that is gone: another network may answer for its addresses otherwise."""
    for network in _networks(cluster):
        sh("ip", "route", "replace", "unreachable", network)


def _networks(cluster: Cluster) -> tuple[str, ...]:
    return f"{cluster.node_ip.rpartition('.')[0]}.0/24", cluster.pods, cluster.services


def in_namespace(link: str | None) -> set[int]:
    """The processes of the mount namespace that `link` (as /proc/PID/ns/mnt reads) names."""
    return {pid for pid, seen in _each_process(lambda p: os.readlink(p / "ns/mnt")).items() if link and seen == link}


def _each_process(read: Callable[[Path], T]) -> dict[int, T]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = read(folder)
            except OSError:
                continue
    return found
