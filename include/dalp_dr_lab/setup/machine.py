"""Whether this machine can carry the lab: each refusal is one sentence and what to do."""

from __future__ import annotations

import ipaddress
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dalp_dr_lab.cluster.settings import Cluster

PYTHONS = ((3, 11), (3, 13))
FIRST_DISK_BYTES, LATER_DISK_BYTES = 30 * 10**9, 5 * 10**9
MEMORY_BYTES = int(7.5 * 2**30)  # what a machine of 8 GB reports
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
NETWORKS = ("10.250.0.0/24", "10.250.255.1/32", "10.244.0.0/16", "10.96.0.0/16")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on the machine; `routes` are (network, device) of routes that are not the lab's own."""

    python: tuple[int, int]
    root: bool
    sudo: bool
    system: str
    architecture: str
    apt: bool
    controllers: frozenset[str]
    namespaces: bool
    overlay: bool
    disk_free_bytes: int
    memory_bytes: int
    routes: tuple[tuple[str, str], ...]
    first_time: bool


def refusals(facts: Facts) -> list[str]:
    """Why the lab cannot run here, worst first; empty when it can."""
    found = python_refusals(facts.python)
    if facts.system != "Linux":
        found.append(f"The lab needs Linux and this is {facts.system}; use a Debian machine, or run `make test-fast` here.")
        return found
    if not facts.root and not facts.sudo:
        found.append("The lab needs root (network namespaces, mounts) and there is no sudo; run it as root.")
    if facts.architecture not in ARCHITECTURES:
        found.append(f"No programs are built for {facts.architecture}; use an x86-64 machine (arm64 is untried).")
    if not facts.apt:
        found.append("apt-get is missing: set-up takes its packages from Debian or Ubuntu; use one of these.")
    if missing := sorted(set(CONTROLLERS) - facts.controllers):
        found.append(
            f"The kernel's control groups lack {', '.join(missing)}, which Kubernetes needs; "
            "mount them (in a container: start it privileged, with its own cgroup namespace)."
        )
    if not facts.namespaces:
        found.append(
            "This kernel or container refuses network and mount namespaces, which hold the cluster; "
            "use a virtual machine or a privileged container."
        )
    if not facts.overlay:
        found.append("The kernel has no overlay file system, which containers need; load it with `modprobe overlay`.")
    needed = FIRST_DISK_BYTES if facts.first_time else LATER_DISK_BYTES
    if facts.disk_free_bytes < needed:
        found.append(
            f"{needed / 10**9:.0f} GB of free disk are needed below {Path.home() / '.cache'} and only "
            f"{facts.disk_free_bytes / 10**9:.1f} GB are there; free some, or set HOME to a larger disk."
        )
    if facts.memory_bytes < MEMORY_BYTES:
        found.append(f"8 GB of memory are needed and this machine has {facts.memory_bytes / 2**30:.1f} GB; use a larger one.")
    for network, device in facts.routes:
        if other := _overlap(network):
            found.append(
                f"This machine's route to {network} by {device} covers the lab's network {other}; "
                "remove that route, or use another machine."
            )
    return found


def python_refusals(version: tuple[int, int]) -> list[str]:
    """Why this Python cannot be used; empty when it can."""
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return []
    sentence = f"Python 3.11 to 3.13 is needed and this is {version[0]}.{version[1]}; "
    return [sentence + "install one of these and run `make PYTHON=python3.13 setup`."]


def look(cluster: Cluster) -> Facts:
    """Look at this machine."""
    return Facts(
        python=sys.version_info[:2],
        root=os.geteuid() == 0,
        sudo=bool(shutil.which("sudo")),
        system=platform.system(),
        architecture=platform.machine(),
        apt=bool(shutil.which("apt-get")),
        controllers=_controllers(),
        namespaces=os.geteuid() != 0 or _runs("unshare", "--net", "--mount", "--propagation=private", "true"),
        overlay="overlay" in _read("/proc/filesystems") or _runs("modprobe", "--dry-run", "overlay"),
        disk_free_bytes=shutil.disk_usage(_existing(cluster.home)).free,
        memory_bytes=_memory_bytes(_read("/proc/meminfo")),
        routes=_routes(_read("/proc/net/route")),
        first_time=not (cluster.bin / "digest").exists(),
    )


def _overlap(network: str) -> str | None:
    there = ipaddress.ip_network(network)
    return next((ours for ours in NETWORKS if there.overlaps(ipaddress.ip_network(ours))), None)


def _controllers() -> frozenset[str]:
    unified = _read("/sys/fs/cgroup/cgroup.controllers").split()
    mounted = [path.name for path in Path("/sys/fs/cgroup").glob("*") if (path / "tasks").exists()]
    return frozenset([*unified, *(name for folder in mounted for name in folder.split(","))])


def _routes(table: str) -> tuple[tuple[str, str], ...]:
    """Routes from the text of /proc/net/route, without the default route, dead ends and the lab's own."""
    found = []
    for line in table.splitlines()[1:]:
        device, target, *rest = line.split()
        mask = rest[5]
        if mask != "00000000" and device != "*" and not device.startswith("dalp-k8s"):
            address, length = ipaddress.ip_address(_bytes(target)), int(mask, 16).bit_count()
            found.append((f"{address}/{length}", device))
    return tuple(found)


def _bytes(word: str) -> bytes:
    return bytes.fromhex(word)[::-1]


def _memory_bytes(text: str) -> int:
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemTotal:")), 0)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _runs(*words: str) -> bool:
    return bool(shutil.which(words[0])) and subprocess.run(words, capture_output=True, check=False).returncode == 0


def with_system_folders(path: str) -> str:
    """A PATH with the folders of system programs at its end: `su` and sudo leave them out for an ordinary user's PATH."""
    folders = path.split(os.pathsep)
    return os.pathsep.join([*folders, *(folder for folder in SYSTEM_FOLDERS if folder not in folders)])


def missing_packages(wanted: Sequence[str]) -> list[str]:
    """Those of the Debian packages that are not installed."""
    words = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]
