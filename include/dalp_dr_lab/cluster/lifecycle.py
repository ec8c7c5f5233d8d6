"""Start, stop and look at one cluster."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dalp_dr_lab import processes, state
from dalp_dr_lab.cluster import build, configuration, images, node, rootfs
from dalp_dr_lab.cluster.settings import NODE, PAUSE, SOURCE, SYSCTLS, Cluster
from dalp_dr_lab.errors import LabError

NEEDED = ("containerd", "ctr", "runc", "nft", "ip", "openssl", "nsenter", "unshare", "sysctl")
FIRST = ("containerd", "etcd", "kube-apiserver")
LATER = ("kube-controller-manager", "kube-scheduler", "network-policy", "local-storage")
CORE = {"node", *FIRST}  # the others keep nothing: each can be started again beside them
READY_SECONDS = 90.0


def running(cluster: Cluster) -> bool:
    """Whether every program of the cluster runs."""
    return set(configuration.commands(cluster)) | {"node"} <= set(processes.alive(cluster.run))


def _half_made(cluster: Cluster) -> bool:
    """Whether an `up` was cut short."""
    return not set(configuration.commands(cluster)) <= set(state.read(cluster.run)["processes"])


def stopped(cluster: Cluster) -> list[str]:
    """Programs that were started and have died since."""
    return sorted(set(state.read(cluster.run)["processes"]) - set(processes.alive(cluster.run)))


def up(cluster: Cluster) -> bool:
    """Start an empty cluster (about 10 s) and return True; False when it runs already (what had died is started again)."""
    if set(processes.alive(cluster.run)) >= CORE and not _half_made(cluster):
        _start(cluster, *(name for name in stopped(cluster)))
        images.load(cluster, sorted(cluster.images.glob("*.tar")))
        return False
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or not (configuration.CNI_PLUGINS / "ptp").exists():
        raise LabError(f"Programs are missing: {', '.join(missing) or 'CNI plugins'}. Run `make setup`.")
    if not build.cluster_is_built(cluster):
        raise LabError("Kubernetes is not built yet. Run `make setup`.")
    down(cluster)
    cluster.run.mkdir(parents=True)
    others = [json.loads(path.read_text()) for path in cluster.home.glob("run*/state.json")]
    with state.change(cluster.run) as now:
        now["notes"]["sysctls"] = next(
            (other["notes"]["sysctls"] for other in others if "sysctls" in other["notes"]),
            {key: node.sh("sysctl", "-n", key).strip() for key in SYSCTLS},
        )
    configuration.write(cluster)
    node.make(cluster, lambda what, ready, seconds: _wait(cluster, what, ready, seconds))
    _start(cluster, *FIRST)
    rootfs.pause_image(cluster)
    _wait(cluster, "containerd", cluster.socket.exists)
    images.load(cluster, sorted(cluster.images.glob("*.tar")))
    _wait(cluster, "the API", lambda: api(cluster, "/readyz"))
    _start(cluster, *LATER)
    _wait(cluster, "network-policy", (cluster.run / "policy.sock").exists)
    _start(cluster, "kubelet", "kube-proxy")
    addons = (SOURCE / "addons.yaml").read_text()
    values = {"BIN": cluster.bin, "PAUSE": PAUSE, "DNS_IP": cluster.dns_ip, "HOST_IP": cluster.host_ip}
    for key, value in values.items():
        addons = addons.replace("${" + key + "}", str(value))
    kubectl = (cluster.kube, "kubectl", f"--kubeconfig={cluster.kubeconfig}")
    node.sh(*kubectl, "apply", "--server-side", "--filename=-", input=addons)
    _wait(cluster, "the node", lambda: _node_ready(cluster))
    dns = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    _wait(cluster, "DNS", lambda: api(cluster, dns)["status"]["availableReplicas"])
    return True


def _node_ready(cluster: Cluster) -> bool:
    conditions = api(cluster, f"/api/v1/nodes/{NODE}")["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _start(cluster: Cluster, *names: str) -> None:
    holder = processes.alive(cluster.run)["node"]
    for name in names:
        words = ["nsenter", "--net", "--mount", f"--target={holder}", "--", *configuration.commands(cluster)[name]]
        processes.spawn(cluster.run, name, words, cwd=Path("/"))


def revive(cluster: Cluster, name: str) -> None:
    """Start a program again that has died, and wait until the API answers."""
    _start(cluster, name)
    _wait(cluster, "the API", lambda: api(cluster, "/readyz"))


def _wait(cluster: Cluster, what: str, ready: Callable[[], object], seconds: float = READY_SECONDS) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            pass  # not there yet: the deadline decides
        if dead := stopped(cluster):
            raise LabError(
                f"{', '.join(dead)} stopped while waiting for {what}; the last words are in {cluster.run}/logs. "
                "Run `make down`, then try again."
            )
        time.sleep(0.1)
    raise LabError(f"{what} of cluster {cluster.number} not ready after {seconds:.0f} s; see {cluster.run}/logs.")


def api(cluster: Cluster, path: str) -> Any:
    """The API's answer to GET, parsed when it is JSON; ValueError for any failure status."""
    context = ssl.create_default_context(cafile=str(cluster.pki / "ca.crt"))
    context.load_cert_chain(str(cluster.pki / "admin.crt"), str(cluster.pki / "admin.key"))
    connection = http.client.HTTPSConnection(cluster.node_ip, 6443, timeout=5, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"{path}: {answer.status}")
    return json.loads(body) if body.startswith(b"{") else body


def down(cluster: Cluster) -> None:
    """End everything of the cluster: processes, namespaces, cable, control groups, volumes, state. Images stay."""
    live, now = processes.alive(cluster.run), state.read(cluster.run)
    processes.kill([live[name] for name in live if name not in ("node", "containerd")], signal.SIGKILL, 10)
    # Every shim of a container runs in the node's mount namespace, and the container's processes descend from it.
    mounts = now["notes"].get("mounts")
    shims = node.in_namespace(mounts) - set(live.values())
    processes.kill(processes.descendants(shims), signal.SIGKILL, 10)
    if "containerd" in live:
        ctr = ("ctr", "--address", cluster.socket, "--namespace", "k8s.io")
        if names := node.sh(*ctr, "containers", "list", "-q", check=False).split():
            node.sh(*ctr, "tasks", "delete", "--force", *names, check=False)
            node.sh(*ctr, "containers", "delete", *names, check=False)
    elif "containerd" in now["processes"]:  # it died with containers in its books: images are loaded anew
        shutil.rmtree(cluster.store, ignore_errors=True)
    rest = node.in_namespace(mounts) - {live.get("node", 0)}
    processes.kill(processes.kill(rest, signal.SIGTERM, 5), signal.SIGKILL, 5)
    processes.kill([live["node"]] if "node" in live else [], signal.SIGKILL, 5)
    node.remove_traces(cluster)
    for folder in ("containers", "sandboxes"):
        shutil.rmtree(cluster.store / "io.containerd.grpc.v1.cri" / folder, ignore_errors=True)
    shutil.rmtree(cluster.run, ignore_errors=True)
    if not list(cluster.home.glob("run*/state.json")):  # the last one sets back what kubelet wrote
        for key, value in now["notes"].get("sysctls", {}).items():
            node.sh("sysctl", "-qw", f"{key}={value}", check=False)


def memory(cluster: Cluster) -> dict[str, int]:
    """Proportional set size in bytes of each program, and of all pods together as `pods`."""
    live = processes.alive(cluster.run)
    own = {name: processes.proportional_bytes([pid]) for name, pid in live.items()}
    pods = node.in_namespace(state.read(cluster.run)["notes"].get("mounts")) - set(live.values())
    return {**own, "pods": processes.proportional_bytes(pods | processes.descendants(pods))}
