"""Faults of the ground on which a sandbox stands."""

from __future__ import annotations

import json
import sys
from typing import Any

from dalp_dr_lab import processes
from dalp_dr_lab.faults import open_egress
from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import source

OPENER = "open-egress"
KEPT_MILLICPUS = 150
BALLAST = "ballast"
PRODUCTION_PRIORITY = 100_000


def _open_egress(lab: Lab, notes: Notes) -> None:
    path = {"PYTHONPATH": str(lab.checkout / "include")}
    lab.spawn(OPENER, [sys.executable, "-m", "dalp_dr_lab.faults.open_egress"], env=path)
    source.wait("the watch for drills", open_egress.ready_file(lab).exists, 30)


def _stop_opening(lab: Lab, notes: Notes) -> None:
    processes.stop(lab.folder, [OPENER])
    open_egress.ready_file(lab).unlink(missing_ok=True)


def millicpus(text: str) -> int:
    """A Kubernetes CPU quantity in thousandths of a core."""
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def _fill_node(lab: Lab, notes: Notes) -> None:
    """Let a pod of the production's priority request all but a little of the node's free CPU."""
    node = json.loads(lab.kubectl("get", "nodes", "-o", "json"))["items"][0]
    pods = json.loads(lab.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    used = sum(_requested(pod) for pod in pods if pod["status"].get("phase") in ("Running", "Pending"))
    free = millicpus(node["status"]["allocatable"]["cpu"]) - used
    lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(_ballast(max(1, free - KEPT_MILLICPUS))))
    lab.kubectl("-n", "outside", "rollout", "status", f"deployment/{BALLAST}", "--timeout=60s")


def _requested(pod: dict[str, Any]) -> int:
    containers = pod["spec"]["containers"]
    return sum(millicpus(c.get("resources", {}).get("requests", {}).get("cpu", "0m")) for c in containers)


def _ballast(cpu: int) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": BALLAST}
    container = {
        "name": BALLAST,
        "image": "docker.io/local/dalp:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": f"{cpu}m"}},
    }
    pod = {"priorityClassName": BALLAST, "terminationGracePeriodSeconds": 0, "containers": [container]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    priority = {"kind": "PriorityClass", "metadata": {"name": BALLAST}, "value": PRODUCTION_PRIORITY}
    deployment = {"kind": "Deployment", "metadata": {"name": BALLAST, "namespace": "outside"}, "spec": spec}
    items = [{"apiVersion": "scheduling.k8s.io/v1", **priority}, {"apiVersion": "apps/v1", **deployment}]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _empty_node(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "outside", "delete", "deployment", BALLAST, "--ignore-not-found")
    lab.kubectl("delete", "priorityclass", BALLAST, "--ignore-not-found")
    source.wait(
        "the ballast's end",
        lambda: not source.objects(lab, "outside", "pods", "-l", f"app.kubernetes.io/name={BALLAST}"),
        60,
    )


FAULTS = (
    Fault(
        "open-egress",
        "Something on the cluster puts an allow-all NetworkPolicy into each namespace of a drill when it appears.",
        ("default_deny_in_force", "canaries_refused"),
        _open_egress,
        _stop_opening,
        spoils=False,
    ),
    Fault(
        "quota-too-small",
        f"Other workloads have requested all but {KEPT_MILLICPUS} thousandths of a core: a sandbox does not fit.",
        ("capacity_sufficient",),
        _fill_node,
        _empty_node,
        outcome="refused",
        spoils=False,
        group="preflight-1",
    ),
)
