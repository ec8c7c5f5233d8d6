"""Names, folders and addresses of one cluster, all a function of its number and the folder that clusters share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dalp_dr_lab.errors import LabError

SOURCE = Path(__file__).resolve().parent
NODE = "node"
PAUSE = "docker.io/local/pause:1"
SYSCTLS = ("vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops")  # machine-wide; kubelet writes them
ETCD, ETCD_PEER = "http://127.0.0.1:2379", "http://127.0.0.1:2380"  # inside the node's network namespace


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cluster `number` (0 to 9); several run side by side and share programs and images under `home`."""

    number: int
    home: Path

    @classmethod
    def of(cls, number: int) -> Cluster:
        """Cluster `number` in $CLUSTER_HOME, or ~/.cache/dalp-cluster."""
        if not 0 <= number <= 9:
            raise LabError(f"CLUSTER_NUMBER is {number}; choose 0 to 9.")
        return cls(number, Path(os.environ.get("CLUSTER_HOME") or Path.home() / ".cache/dalp-cluster").absolute())

    @property
    def suffix(self) -> str:
        """What tells this cluster's names from the first one's."""
        return f"-{self.number}" if self.number else ""

    @property
    def bin(self) -> Path:
        """Folder of the compiled programs."""
        return self.home / "bin"

    @property
    def images(self) -> Path:
        """Folder of image archives; every `up` loads those that its store lacks."""
        return self.home / "images"

    @property
    def store(self) -> Path:
        """containerd's images and layers; they survive `down`."""
        return self.home / f"containerd{self.suffix}"

    @property
    def run(self) -> Path:
        """All other state; `down` removes it."""
        return self.home / f"run{self.suffix}"

    @property
    def pki(self) -> Path:
        """Folder of keys and certificates."""
        return self.run / "pki"

    @property
    def kube(self) -> Path:
        """The program with all components."""
        return self.bin / "kube"

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.run / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON event a line."""
        return self.run / "audit.log"

    @property
    def name(self) -> str:
        """The name of the cluster in its kubeconfig."""
        return f"dalp{self.suffix}"

    @property
    def cgroup(self) -> str:
        """The control group that holds every pod."""
        return f"dalp-cluster-{self.number}"

    @property
    def link(self) -> str:
        """This machine's end of the cable to the node."""
        return f"dalp-k8s{self.suffix}"

    @property
    def host_ip(self) -> str:
        """This machine as seen from pods."""
        return f"10.250.{self.number}.2"

    @property
    def node_ip(self) -> str:
        """The node, and the API at port 6443."""
        return f"10.250.{self.number}.1"

    @property
    def pods(self) -> str:
        """The network that pod addresses come from."""
        return f"10.{244 + self.number}.0.0/16"

    @property
    def pod_range(self) -> str:
        """The node's part of the pod network."""
        return f"10.{244 + self.number}.0.0/22"

    @property
    def services(self) -> str:
        """The network of Service addresses."""
        return f"10.{96 + self.number}.0.0/16"

    @property
    def api_ip(self) -> str:
        """The API as a Service."""
        return f"10.{96 + self.number}.0.1"

    @property
    def dns_ip(self) -> str:
        """DNS as a Service."""
        return f"10.{96 + self.number}.0.10"
