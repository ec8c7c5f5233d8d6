"""What every part of the lab knows about the lab: folders, addresses, ports, credentials and clients."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dalp_dr_lab import processes, state
from dalp_dr_lab.errors import LabError

ADDRESS = "10.250.255.1"
CHAIN_ID = 31337
REGION = "us-east-1"
BUCKETS = {"backups": "velero", "wal": "dalp-wal", "documents": "dalp-documents", "evidence": "dalp-evidence", "escrow": "dalp-escrow"}
BACKUP_PREFIX = "prod"
IDENTITIES = ("admin", "velero", "archive", "backup-reader", "documents", "documents-reader", "evidence", "escrow-reader")
NAMESPACES = ("dalp", "dalp-support", "dalp-observability")
KUBECTL_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Identity:
    """One S3 key pair."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab on this machine; everything in it is a function of state.json and the environment.

    `home` is the project's state folder, `folder` the lab's part of it. `ports` maps a server's name (`s3`,
    `rpc-primary`, `rpc-secondary`, `anvil`, ...) to the port it was given once. `recovery_kubeconfig` is None
    while no second cluster exists.
    """

    checkout: Path
    home: Path
    caches: Path
    cluster_home: Path
    address: str
    ports: Mapping[str, int]
    identities: Mapping[str, Identity] = field(repr=False)
    kubeconfig: Path
    recovery_kubeconfig: Path | None
    external_cluster: bool

    @classmethod
    def load(cls) -> Lab:
        """The lab of this checkout; makes its folder, its ports and its keys when there are none yet."""
        checkout = state.checkout()
        folder = state.home() / "lab"
        for part in ("logs", "rpc", "weed", "chain", "git", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        now = state.ensure(folder, IDENTITIES)
        cluster_home = Path(os.environ.get("CLUSTER_HOME") or Path.home() / ".cache/dalp-cluster").absolute()
        external = os.environ.get("LAB_KUBECONFIG")
        recovery = cluster_home / "run-1/admin.kubeconfig"
        return cls(
            checkout=checkout,
            home=state.home(),
            caches=state.caches(),
            cluster_home=cluster_home,
            address=os.environ.get("LAB_HOST_ADDRESS") or ADDRESS,
            ports=dict(now["ports"]),
            identities={name: Identity(name, **pair) for name, pair in now["identities"].items()},
            kubeconfig=Path(external).absolute() if external else cluster_home / "run/admin.kubeconfig",
            recovery_kubeconfig=recovery if recovery.exists() else None,
            external_cluster=bool(external),
        )

    @property
    def folder(self) -> Path:
        """The lab's own part of the state folder."""
        return self.home / "lab"

    @property
    def tools(self) -> Path:
        """Folder of the programs that set-up fetched: anvil, helm, kubectl."""
        return self.caches / "tools"

    @property
    def s3_endpoint(self) -> str:
        """URL of the object store, as pods and ordinary processes of this machine see it."""
        return f"http://{self.address}:{self.ports['s3']}"

    @property
    def rpc_urls(self) -> tuple[str, str]:
        """URLs of the two RPC endpoints, primary first."""
        return self.rpc_url("primary"), self.rpc_url("secondary")

    def rpc_url(self, role: str) -> str:
        """URL of the RPC endpoint `primary` or `secondary`, as pods and processes see it."""
        return f"http://{self.address}:{self.ports[f'rpc-{role}']}"

    @property
    def chain_url(self) -> str:
        """URL of the chain itself, behind the proxies; only processes of this machine reach it."""
        return f"http://127.0.0.1:{self.ports['anvil']}"

    def rpc_target_file(self, role: str) -> Path:
        """File with the `host:port` that the RPC endpoint `primary` or `secondary` forwards to."""
        return self.folder / "rpc" / f"{role}.target"

    def on_recovery(self) -> Lab:
        """The same lab as seen from the second cluster: kubectl goes there. LabError while there is none."""
        if self.recovery_kubeconfig is None:
            raise LabError("There is no second cluster. Start it with `python -m dalp_dr_lab recovery`.")
        return replace(self, kubeconfig=self.recovery_kubeconfig)

    @property
    def entrance_url(self) -> str:
        """URL of the public entrance, as clients reach it."""
        return f"http://{self.address}:{self.ports['entrance']}"

    @property
    def entrance_mapping(self) -> Path:
        """File with the public entrance's mapping."""
        return self.folder / "entrance" / "mapping.json"

    @property
    def entrance_token(self) -> Path:
        """File with the token that may change the mapping."""
        return self.folder / "entrance" / "token"

    def port(self, name: str) -> int:
        """The port of server `name`: a free one the first time, the same one ever after."""
        return state.port(self.folder, name)

    def spawn(self, name: str, words: list[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
        """Start a program detached, logged to logs/`name`.log and recorded, so that `down` ends it; returns its pid."""
        return processes.spawn(self.folder, name, words, env=env, cwd=cwd)

    def kubectl(self, *words: str, input: str | None = None, kubeconfig: Path | None = None) -> str:
        """Run kubectl with administrator rights and return what it printed; LabError with its words when it fails."""
        command = [str(self.cluster_home / "bin/kube"), "kubectl", f"--kubeconfig={kubeconfig or self.kubeconfig}"]
        try:
            done = subprocess.run([*command, *words], input=input, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False)
        except FileNotFoundError:
            raise LabError("kubectl is not built yet. Run `make setup`.") from None
        except subprocess.TimeoutExpired:
            raise LabError(
                f"kubectl {' '.join(words[:6])} did not answer in {KUBECTL_SECONDS} s. "
                "Look at the cluster with `python -m dalp_dr_lab status`."
            ) from None
        if done.returncode:
            raise LabError(f"kubectl {' '.join(words[:6])} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def s3(self, identity: str) -> Any:
        """A boto3 S3 client with the key of `identity` (one of IDENTITIES)."""
        import boto3
        from botocore.config import Config

        key = self.identities[identity]
        return boto3.client(
            "s3",
            endpoint_url=self.s3_endpoint,
            region_name=REGION,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3, "mode": "standard"}),
        )
