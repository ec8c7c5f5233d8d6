"""The lab's own Kubernetes: whole when up, healed when hurt, gone without a trace when down. Root; cluster number 9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalp_dr_lab import processes, state
from dalp_dr_lab.cluster import lifecycle, node
from dalp_dr_lab.cluster.settings import Cluster

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
NUMBER = 9


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the lab's programs and a folder of its own, so that it loads no image but its own."""
    found = Cluster(NUMBER, tmp_path_factory.mktemp("cluster"))
    found.bin.symlink_to(Cluster.of(0).bin)
    try:
        assert lifecycle.up(found) is True
        yield found
    finally:
        lifecycle.down(found)


def _kubectl(cluster: Cluster, *words: str, input: str | None = None) -> str:
    return node.sh(cluster.kube, "kubectl", f"--kubeconfig={cluster.kubeconfig}", *words, input=input)


def _uid(cluster: Cluster) -> str:
    return _kubectl(cluster, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")


def _traces(cluster: Cluster, mounts: str) -> dict[str, list[str]]:
    """What a cluster whose mount namespace is `mounts` leaves on the machine while it runs."""
    routes = node.sh("ip", "route", "show").splitlines()
    return {
        "links": [line for line in node.sh("ip", "-oneline", "link").splitlines() if f" {cluster.link}" in line],
        "routes": [line for line in routes if cluster.node_ip in line or cluster.link in line],
        "groups": [str(path) for path in node.CGROUPS.glob(f"**/{cluster.cgroup}")],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if f"{cluster.run}/" in line],
        "state": [str(cluster.run)] if cluster.run.exists() else [],
        "processes": [str(pid) for pid in node.in_namespace(mounts)],
    }


def test_a_second_up_changes_nothing(cluster: Cluster) -> None:
    before = _uid(cluster), processes.alive(cluster.run)
    assert lifecycle.up(cluster) is False
    assert (_uid(cluster), processes.alive(cluster.run)) == before


def test_writes_are_in_the_audit_log_with_who_did_them(cluster: Cluster) -> None:
    _kubectl(cluster, "create", "configmap", "noted", "-n", "default")
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    (event,) = [e for e in events if e["verb"] == "create" and e.get("objectRef", {}).get("name") == "noted"]
    assert event["user"]["username"] == "admin"
    assert event["level"] == "Metadata"
    assert "requestObject" not in event


def test_a_pod_runs_with_a_volume_of_its_own(cluster: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "idle"},
        "spec": {
            "containers": [
                {
                    "name": "idle",
                    "image": "docker.io/local/pause:1",
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }
    _kubectl(cluster, "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [claim, pod]}))
    _kubectl(cluster, "wait", "pod/idle", "--for=condition=Ready", "--timeout=60s")


@pytest.mark.parametrize("name", ["kube-scheduler", "kubelet", "kube-proxy"])
def test_a_program_that_died_is_started_again_and_nothing_is_lost(cluster: Cluster, name: str) -> None:
    before = _uid(cluster)
    processes.kill([processes.alive(cluster.run)[name]], signal.SIGKILL, 10)
    assert lifecycle.stopped(cluster) == [name]
    assert not lifecycle.running(cluster)
    lifecycle.up(cluster)
    assert lifecycle.running(cluster)
    assert _uid(cluster) == before


def test_down_leaves_nothing_and_a_new_cluster_is_empty(cluster: Cluster) -> None:
    before, mounts = _uid(cluster), state.read(cluster.run)["notes"]["mounts"]
    seen = _traces(cluster, mounts)
    assert all(seen[kind] for kind in ("links", "routes", "groups", "state", "processes"))
    lifecycle.down(cluster)
    assert _traces(cluster, mounts) == {kind: [] for kind in seen}
    assert lifecycle.up(cluster) is True
    assert _uid(cluster) != before
    assert _kubectl(cluster, "get", "pods,configmaps", "-n", "default", "-o", "name").split() == ["configmap/kube-root-ca.crt"]


def test_what_a_killed_up_left_is_cleared_by_the_next(cluster: Cluster) -> None:
    lifecycle.down(cluster)
    code = (
        "from pathlib import Path; from dalp_dr_lab.cluster import lifecycle; from dalp_dr_lab.cluster.settings import Cluster;"
        f"lifecycle.up(Cluster({NUMBER}, Path({str(cluster.home)!r})))"
    )
    half = subprocess.Popen([sys.executable, "-c", code])
    try:
        while "etcd" not in processes.alive(cluster.run):
            assert half.poll() is None
    finally:
        half.kill()
        half.wait()
    assert lifecycle.up(cluster) is True
    assert lifecycle.running(cluster)


def test_a_cluster_whose_node_was_lost_is_made_anew(cluster: Cluster) -> None:
    before = _uid(cluster)
    _kubectl(cluster, "run", "idle", "--image=docker.io/local/pause:1", "-n", "default")
    _kubectl(cluster, "wait", "pod/idle", "-n", "default", "--for=condition=Ready", "--timeout=60s")
    processes.kill(processes.alive(cluster.run).values(), signal.SIGKILL, 10)
    assert lifecycle.up(cluster) is True
    assert _uid(cluster) != before
    assert "idle" not in _kubectl(cluster, "get", "pods", "-n", "default", "-o", "name")
