"""state.json of one lab: ports, keys and processes, changed under a lock and replaced as a whole."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PORTS = ("s3", "weed-master", "weed-volume", "weed-filer", "anvil", "rpc-primary", "rpc-secondary", "mailbox", "entrance")
GRPC_OFFSET = 10000  # SeaweedFS listens for gRPC at each HTTP port + 10000
FIRST_PORT, LAST_PORT = 20100, 22700  # below the range for outgoing connections, also with the offset added


def checkout() -> Path:
    """The folder that holds include/, dags/ and plugins/."""
    return Path(__file__).resolve().parents[2]


def home() -> Path:
    """The project's state folder: $DALP_DR_HOME, or .dalp-dr in the checkout."""
    return Path(os.environ.get("DALP_DR_HOME") or checkout() / ".dalp-dr").absolute()


def caches() -> Path:
    """The folder of things that are made once for a machine: virtual environments and tools."""
    return Path(os.environ.get("DALP_DR_CACHE") or Path.home() / ".cache/dalp-dr").absolute()


def read(folder: Path) -> dict[str, Any]:
    """The lab's state; an empty one when the lab was never started."""
    try:
        now: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        now = {}
    return {"ports": {}, "identities": {}, "processes": {}, "notes": {}, **now}


@contextmanager
def change(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the state for changes; they are written, whole and at once, when the block ends without an error."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = read(folder)
        before = json.dumps(now, sort_keys=True)
        yield now
        if json.dumps(now, sort_keys=True) != before:
            new = folder / "state.json.new"
            new.touch(mode=0o600)
            new.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
            new.replace(folder / "state.json")


def ensure(folder: Path, identities: Sequence[str]) -> dict[str, Any]:
    """The state with every port and key that a lab needs; those it lacks are chosen now and stay."""
    now = read(folder)
    if set(PORTS) <= set(now["ports"]) and set(identities) <= set(now["identities"]):
        return now
    with change(folder) as now:
        for name in PORTS:
            _assign(now["ports"], name)
        for name in identities:
            now["identities"].setdefault(name, {"access_key": f"LAB{secrets.token_hex(8).upper()}", "secret_key": secrets.token_hex(20)})
    return now


def port(folder: Path, name: str) -> int:
    """The port of server `name`: a free one the first time, the same one ever after."""
    if name not in (ports := read(folder)["ports"]):
        with change(folder) as now:
            _assign(now["ports"], name)
        ports = now["ports"]
    return int(ports[name])


def _assign(ports: dict[str, int], name: str) -> None:
    if name in ports:
        return
    taken = set(ports.values())
    for _ in range(1000):
        candidate = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if candidate not in taken and _free(candidate) and (not name.startswith(("weed", "s3")) or _free(candidate + GRPC_OFFSET)):
            ports[name] = candidate
            return
    raise OSError(f"no free port for {name} between {FIRST_PORT} and {LAST_PORT}")


def _free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not make it busy
        try:
            probe.bind(("0.0.0.0", number))
        except OSError:
            return False
    return True


def renew_busy_ports(folder: Path) -> bool:
    """Choose new ports for those that another program listens on; returns whether any was changed.

    Only meaningful while nothing of the lab runs.
    """
    with change(folder) as now:
        busy = [name for name, number in now["ports"].items() if not _free(number)]
        for name in busy:
            del now["ports"][name]
            _assign(now["ports"], name)
    return bool(busy)
