"""Faults of Velero itself: its server or its node agents are away, before a drill or in the middle of one."""

from __future__ import annotations

import json
from typing import Any

from dalp_dr import naming
from dalp_dr_lab.faults.fault import Fault, Moment, Notes, nothing
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import source

NAMESPACE = "velero"
SERVER, AGENTS = "deployment/velero", "daemonset/node-agent"
NOWHERE = {"dalp-dr-lab/no-such-node": "true"}
UNDER_WAY = ("running", "deferred")
RESTORING = Moment("restore.kubernetes_app", UNDER_WAY)
SECONDS = 120


def _stop_server(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", NAMESPACE, "scale", SERVER, "--replicas=0")
    source.wait("the end of Velero's server", lambda: not _pods(lab, "deploy=velero"), SECONDS)


def _start_server(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", NAMESPACE, "scale", SERVER, "--replicas=1")
    lab.kubectl("-n", NAMESPACE, "rollout", "status", SERVER, f"--timeout={SECONDS}s")


def _send_agents_away(lab: Lab, notes: Notes) -> None:
    """No node matches any more: the DaemonSet wants nothing, and has all it wants."""
    _select(lab, NOWHERE)
    source.wait("the end of the node agents", lambda: not _pods(lab, "name=node-agent"), SECONDS)


def _call_agents_back(lab: Lab, notes: Notes) -> None:
    _select(lab, dict.fromkeys(NOWHERE))
    source.wait("the node agents", lambda: _pods(lab, "name=node-agent"), SECONDS)
    lab.kubectl("-n", NAMESPACE, "rollout", "status", AGENTS, f"--timeout={SECONDS}s")


def _select(lab: Lab, labels: dict[str, Any]) -> None:
    patch = {"spec": {"template": {"spec": {"nodeSelector": labels}}}}
    lab.kubectl("-n", NAMESPACE, "patch", AGENTS, "--type=merge", "--patch", json.dumps(patch))


def _pods(lab: Lab, selector: str) -> list[dict[str, Any]]:
    return source.objects(lab, NAMESPACE, "pods", "-l", selector)


def _restores(lab: Lab, drill_id: str) -> list[dict[str, Any]]:
    return source.objects(lab, NAMESPACE, "restores.velero.io", "-l", f"{naming.LABEL_DRILL}={drill_id}")


def _restart_server(lab: Lab, notes: Notes, drill_id: str) -> None:
    """Kill the server as soon as one of the drill's restores is in progress; its Deployment starts another one."""

    def restoring() -> list[str]:
        return [r["metadata"]["name"] for r in _restores(lab, drill_id) if r.get("status", {}).get("phase") == "InProgress"]

    notes["interrupted"] = source.wait("a restore in progress", restoring, SECONDS)
    lab.kubectl("-n", NAMESPACE, "delete", "pods", "-l", "deploy=velero", "--grace-period=0", "--force")


def _stop_server_meanwhile(lab: Lab, notes: Notes, drill_id: str) -> None:
    source.wait("a restore of the drill", lambda: _restores(lab, drill_id), SECONDS)
    _stop_server(lab, notes)


def _send_agents_away_meanwhile(lab: Lab, notes: Notes, drill_id: str) -> None:
    _send_agents_away(lab, notes)


FAULTS = (
    Fault(
        "velero-restarted",
        "Velero's server is killed while it restores; the next one gives up what it finds under way.",
        ("restore_undisturbed",),
        nothing,
        _start_server,
        during=_restart_server,
        moment=RESTORING,
        spoils=False,
        group="velero-restarted",
    ),
    Fault(
        "velero-stopped",
        "Velero's server stops in the middle of the drill and does not come back: a restore stays as it is for ever.",
        ("restore_completed",),
        nothing,
        _start_server,
        during=_stop_server_meanwhile,
        moment=RESTORING,
        verdict="inconclusive",
        spoils=False,
        group="velero-stopped",
    ),
    Fault(
        "node-agent-lost",
        "The node agents go away after the drill has started: nobody fills the volumes.",
        ("pod_volumes_restored",),
        nothing,
        _call_agents_back,
        during=_send_agents_away_meanwhile,
        moment=Moment("isolate.canaries", (*UNDER_WAY, "success")),
        spoils=False,
        group="node-agent-lost",
    ),
    Fault(
        "node-agent-down",
        "No node runs Velero's node agent: the volumes of a restore would stay empty.",
        ("velero_ready",),
        nothing,
        _call_agents_back,
        afterwards=_send_agents_away,
        outcome="refused",
        spoils=False,
        group="preflight-2",
    ),
    Fault(
        "velero-down",
        "Velero's server does not run.",
        ("velero_ready",),
        nothing,
        _start_server,
        afterwards=_stop_server,
        outcome="refused",
        spoils=False,
        group="preflight-1",
    ),
)
