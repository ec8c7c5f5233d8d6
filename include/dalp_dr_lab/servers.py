"""The servers beside the cluster: object store, chain and the two RPC endpoints. They outlive a lost cluster."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from dalp_dr_lab import entrance, processes, state
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import ADDRESS, BUCKETS, CHAIN_ID, Lab

READY_SECONDS = 30.0
WEED_MEMORY = "256MiB"  # a soft limit: it collects its garbage instead of growing
RPC_ROLES = ("primary", "secondary")
NAMES = ("weed", "anvil", "mailbox", *(f"rpc-{role}" for role in RPC_ROLES), "entrance")
GRANTS: dict[str, list[tuple[tuple[str, ...], str]]] = {  # identity: [(actions, bucket)]
    "velero": [(("Read", "Write", "List", "Tagging"), BUCKETS["backups"])],
    "archive": [(("Read", "Write", "List", "Tagging"), BUCKETS["wal"])],
    "backup-reader": [(("Read", "List"), BUCKETS["backups"]), (("Read", "List"), BUCKETS["wal"])],
    "escrow-reader": [(("Read", "List"), BUCKETS["escrow"])],
    "documents": [(("Read", "Write", "List", "Tagging"), BUCKETS["documents"])],
    "documents-reader": [(("Read", "List"), BUCKETS["documents"])],
    "evidence": [(("Read", "Write", "List", "Tagging", "PutObjectRetention", "GetObjectRetention"), BUCKETS["evidence"])],
}


def add_address() -> None:
    """Give this machine the lab's address, by which every cluster's pods reach it."""
    if not has_address():
        _ip("address", "add", f"{ADDRESS}/32", "dev", "lo")


def remove_address() -> None:
    """Take the lab's address from this machine."""
    if has_address():
        _ip("address", "delete", f"{ADDRESS}/32", "dev", "lo")


def has_address() -> bool:
    """Whether this machine has the lab's address."""
    return f" {ADDRESS}/32 " in _ip("-oneline", "address", "show", "dev", "lo")


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"ip {' '.join(words)} failed: {done.stderr.strip()}. The lab needs root.")
    return done.stdout


def start(lab: Lab) -> list[str]:
    """Start the servers that do not run; returns their names."""
    missing = [name for name in NAMES if name not in processes.alive(lab.folder)]
    for name in missing:
        own = {"weed": start_weed, "anvil": _start_anvil, "mailbox": _start_mailbox, "entrance": _start_entrance}
        own.get(name, _start_proxy(name))(lab)
    for name in missing:
        _wait(lab, name, _probe(lab, name))
    return missing


def renew_ports(lab: Lab) -> Lab:
    """Choose new ports for servers whose ports another program has taken meanwhile; only while none of ours runs."""
    if not state.renew_busy_ports(lab.folder):
        return lab
    lab = Lab.load()
    for role in RPC_ROLES:
        point_rpc(lab, role)
    return lab


def stop(lab: Lab) -> None:
    """End every recorded program of the lab, whoever started it, and remove the sockets that SeaweedFS leaves."""
    names = list(state.read(lab.folder)["processes"])
    processes.stop(lab.folder, ["weed"] if "weed" in names else [], how=signal.SIGKILL)  # SIGTERM takes it 16 s and more
    processes.stop(lab.folder, [name for name in names if name != "weed"], how=signal.SIGINT)
    for name, port in lab.ports.items():
        if name.startswith("weed") or name == "s3":
            for path in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                path.unlink()
            for path in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port + state.GRPC_OFFSET}.sock"):
                path.unlink()


def forget_chain(lab: Lab) -> None:
    """End the chain and remove its blocks; the next `start` begins a new one."""
    processes.stop(lab.folder, ["anvil"], how=signal.SIGKILL)
    shutil.rmtree(lab.folder / "chain", ignore_errors=True)


def point_rpc(lab: Lab, role: str, target: str | None = None) -> None:
    """Let the RPC endpoint `primary` or `secondary` forward to `host:port`, or to the lab's chain again."""
    new = lab.rpc_target_file(role).with_suffix(".new")
    new.write_text(target or f"127.0.0.1:{lab.ports['anvil']}")
    new.replace(lab.rpc_target_file(role))


def weed_program() -> Path:
    """The SeaweedFS binary of this virtual environment."""
    beside = Path(sys.prefix) / "bin/weed"
    found = beside if beside.exists() else Path(shutil.which("weed") or "")
    if not found.is_file():
        raise LabError("SeaweedFS (weed) is missing from the virtual environment. Run `make setup`.")
    return found


def start_weed(lab: Lab) -> None:
    """Start the object store alone."""
    config = lab.folder / "weed.s3.json"
    config.touch(mode=0o600)
    config.write_text(json.dumps({"identities": [_identity(lab, name) for name in lab.identities]}, indent=1))
    (lab.folder / "weed").mkdir(exist_ok=True)
    ports = lab.ports
    words = [
        *(str(weed_program()), "-logtostderr=true", "server", f"-dir={lab.folder}/weed"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={ports['weed-master']}"),
        *(f"-volume.port={ports['weed-volume']}", f"-filer.port={ports['weed-filer']}"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=400", "-master.telemetry=false", "-volume.preStopSeconds=0"),
        *("-master.electionTimeout=1s", "-s3", f"-s3.port={ports['s3']}", f"-s3.ip.bind={lab.address}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}", "-s3.allowDeleteBucketNotEmpty=true"),
        *("-s3.autoCreateBucket=false", "-s3.iam=false"),
    ]
    lab.spawn("weed", words, env={"GOMEMLIMIT": WEED_MEMORY})


def _identity(lab: Lab, name: str) -> dict[str, object]:
    key = lab.identities[name]
    grants = GRANTS.get(name)
    actions = (
        ["Admin", "Read", "Write", "List", "Tagging"]
        if grants is None
        else [f"{action}:{bucket}" for allowed, bucket in grants for action in allowed]
    )
    return {
        "name": name,
        "credentials": [{"accessKey": key.access_key, "secretKey": key.secret_key}],
        "actions": actions,
    }


def _start_anvil(lab: Lab) -> None:
    program = lab.tools / "anvil"
    if not program.exists():
        raise LabError("anvil is missing. Run `make setup`.")
    folder = lab.folder / "chain"
    folder.mkdir(exist_ok=True)
    words = [
        *(str(program), "--host", "127.0.0.1", "--port", str(lab.ports["anvil"]), "--chain-id", str(CHAIN_ID)),
        *("--state", str(folder / "state.json"), "--state-interval", "15", "--preserve-historical-states"),
        *("--slots-in-an-epoch", "1", "--gas-limit", "300000000", "--no-request-size-limit", "--silent"),
    ]
    lab.spawn("anvil", words, env={"HOME": str(folder)})  # it keeps old states below its home


def _start_mailbox(lab: Lab) -> None:
    """The mail server of the accountable team: each mail is a file in the lab's folder mail/."""
    source = Path(__file__).with_name("mailbox.py")
    lab.spawn("mailbox", [sys.executable, str(source), f"{lab.address}:{lab.ports['mailbox']}", str(lab.folder / "mail")])


def _start_entrance(lab: Lab) -> None:
    lab.entrance_mapping.parent.mkdir(parents=True, exist_ok=True)
    if not lab.entrance_token.exists():
        lab.entrance_token.touch(mode=0o600)
        lab.entrance_token.write_text(secrets.token_urlsafe(24))
    source = Path(__file__).with_name("entrance.py")
    where = f"{lab.address}:{lab.ports['entrance']}"
    lab.spawn("entrance", [sys.executable, str(source), where, str(lab.entrance_mapping), str(lab.entrance_token)])


def map_public_hosts(lab: Lab, hosts: Mapping[str, str]) -> None:
    """Map public hosts to `host:port` addresses, others as they are."""
    lab.entrance_mapping.parent.mkdir(parents=True, exist_ok=True)
    mapped = {host: [{"name": "production", "address": address, "weight": 100}] for host, address in hosts.items()}
    entrance.write(lab.entrance_mapping, entrance.read(lab.entrance_mapping) | mapped)


def _start_proxy(name: str) -> Callable[[Lab], None]:
    def begin(lab: Lab) -> None:
        role = name.removeprefix("rpc-")
        if not lab.rpc_target_file(role).exists():
            point_rpc(lab, role)
        source = Path(__file__).with_name("rpc_proxy.py")
        lab.spawn(name, [sys.executable, str(source), f"{lab.address}:{lab.ports[name]}", str(lab.rpc_target_file(role))])

    return begin


def _wait(lab: Lab, name: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if ready():
            return
        if name not in processes.alive(lab.folder):
            break
        time.sleep(0.1)
    tail = "\n".join((lab.folder / "logs" / f"{name}.log").read_text(errors="replace").splitlines()[-5:])
    raise LabError(f"{name} did not start; its last words:\n{tail}\nRun `make down`, then try again.")


def _probe(lab: Lab, name: str) -> Callable[[], bool]:
    """The chain must answer; the others must listen: what is behind an endpoint may be broken on purpose."""
    return (lambda: _chain_answers(lab)) if name == "anvil" else (lambda: _listening(lab, name))


def _listening(lab: Lab, name: str) -> bool:
    try:
        with socket.create_connection((lab.address, lab.ports["s3" if name == "weed" else name]), timeout=1):
            return True
    except OSError:
        return False


def _chain_answers(lab: Lab) -> bool:
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(lab.chain_url, call, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return bool(int(json.load(answer)["result"], 16) == CHAIN_ID)
    except (OSError, ValueError, KeyError):
        return False
