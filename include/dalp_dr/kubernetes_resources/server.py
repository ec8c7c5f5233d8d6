"""Velero itself: whether the server that would restore runs, and a node agent on every node that could fill volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.check import CheckResult, expect
from dalp_dr.model.plan import DrillPlan


@dataclass(frozen=True)
class VeleroFacts:
    """Counts as the controllers of Kubernetes report them; an absent counter is zero."""

    server_wanted: int
    server_available: int
    agents_wanted: int
    agents_ready: int


def facts_from(deployment: Mapping[str, Any], agents: Mapping[str, Any]) -> VeleroFacts:
    """`deployment`: the server's Deployment; `agents`: the node agents' DaemonSet."""
    status, seen = deployment.get("status") or {}, agents.get("status") or {}
    return VeleroFacts(
        server_wanted=(deployment.get("spec") or {}).get("replicas", 1),
        server_available=status.get("availableReplicas", 0),
        agents_wanted=seen.get("desiredNumberScheduled", 0),
        agents_ready=seen.get("numberReady", 0),
    )


def judge_ready(facts: VeleroFacts, plan: DrillPlan) -> CheckResult:
    """A DaemonSet that no node matches wants nothing and has all it wants: at least one agent must run."""
    problems = []
    if facts.server_available < 1:
        problems.append(f"Velero's server: {facts.server_available} of {facts.server_wanted} available")
    if facts.agents_ready < 1 or facts.agents_ready < facts.agents_wanted:
        problems.append(f"node agents: {facts.agents_ready} of {facts.agents_wanted} ready")
    seen = f"server {facts.server_available}/{facts.server_wanted}, node agents {facts.agents_ready}/{facts.agents_wanted}"
    return expect(not problems, "Velero's server available and a node agent ready on every node", seen, problems)
