"""Did nothing of production's code run between the restore and the drill's own start?

Read from the restored pods before they are scaled to zero: every container's state as the kubelet wrote it, whether the
holding init container is in its place, and the kubelet's own "Started" events, which also speak of pods that are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from dalp_dr import naming
from dalp_dr.kubernetes_resources.restore import left_out
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

RESTORE_WAIT = "restore-wait"  # Velero's own init container, which waits until the pod's volumes are filled
OURS = (RESTORE_WAIT, naming.HOLD)
LABEL_CLUSTER = "cnpg.io/cluster"


@dataclass(frozen=True)
class HeldContainer:
    """One container of a restored pod. `ran`: the kubelet has started it at least once; `started_at` where it tells."""

    name: str
    init: bool
    ran: bool
    state: str
    restarts: int
    started_at: str | None


@dataclass(frozen=True)
class HeldPod:
    """A pod that the restore or a restored controller made. `held`: our init container stands before its own containers."""

    name: str
    uid: str
    created_at: str
    held: bool
    containers: tuple[HeldContainer, ...]


@dataclass(frozen=True)
class Started:
    """A container's start, as the kubelet told it in an event. `at`: UTC, RFC 3339, empty where the event has no time."""

    pod: str
    container: str
    at: str


@dataclass(frozen=True)
class HeldPods:
    """One sandbox namespace after its restore. `expected`: pods that the backup holds and the restore brings back."""

    role: str
    namespace: str
    expected: tuple[str, ...]
    pods: tuple[HeldPod, ...]
    started: tuple[Started, ...]


def facts_from(
    plan: DrillPlan,
    role: str,
    backed_up: Iterable[dict[str, Any]],
    pods: Iterable[dict[str, Any]],
    events: Iterable[dict[str, Any]],
    earlier: HeldPods | None = None,
) -> HeldPods:
    """From the backup's pods, the sandbox's pods and its events. `earlier`: what an attempt before this one saw; pods that
    are gone since then stay in the facts, and a container that has run has run."""
    listed, seen = list(pods), {p.uid: p for p in (earlier.pods if earlier else ())}
    for pod in (_pod(p) for p in listed if not _other(p)):
        seen[pod.uid] = _later(seen.get(pod.uid), pod)
    apart = {p["metadata"]["name"] for p in listed if _other(p)}
    told = {
        *(earlier.started if earlier else ()),
        *(s for e in events if (s := _started(e)) and s.pod not in apart and not _probe(plan, s)),
    }
    return HeldPods(
        role,
        plan.namespace(role),
        tuple(sorted(p["metadata"]["name"] for p in backed_up if _comes_back(plan, role, p))),
        tuple(sorted(seen.values(), key=lambda p: (p.name, p.uid))),
        tuple(sorted(told, key=lambda s: (s.at, s.pod, s.container))),
    )


def _other(pod: dict[str, Any]) -> bool:
    """A pod of ours, or of the database that CloudNativePG recovers."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get(naming.LABEL_OWNED) == naming.OWNER or LABEL_CLUSTER in labels


def _comes_back(plan: DrillPlan, role: str, pod: dict[str, Any]) -> bool:
    """Velero leaves out pods that have ended; the resource policy those of the database and whatever the environment names."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    name = pod["metadata"]["name"]
    return not (ended or _other(pod) or any(fnmatchcase(name, pattern) for pattern in left_out(plan, role)))


def _pod(pod: dict[str, Any]) -> HeldPod:
    status, spec = pod.get("status") or {}, pod["spec"]
    first = [c["name"] for c in spec.get("initContainers") or []]
    own = [name for name in first if name not in OURS]
    held = naming.HOLD in first and all(first.index(naming.HOLD) < first.index(name) for name in own)
    told = [(s, True) for s in status.get("initContainerStatuses") or []] + [(s, False) for s in status.get("containerStatuses") or []]
    return HeldPod(
        pod["metadata"]["name"],
        pod["metadata"].get("uid", ""),
        pod["metadata"].get("creationTimestamp", ""),
        held,
        tuple(_container(s, init) for s, init in told),
    )


def _container(status: dict[str, Any], init: bool) -> HeldContainer:
    state: dict[str, Any] = status.get("state") or {}
    now = next(iter(state), "unknown")
    times = [(state.get(k) or {}).get("startedAt") for k in ("running", "terminated")]
    last = (status.get("lastState") or {}).get("terminated") or {}
    started = next((t for t in (*times, last.get("startedAt")) if t), None)
    ran = bool(started or last or status.get("restartCount") or status.get("started") or status.get("containerID"))
    return HeldContainer(status["name"], init, ran, now, int(status.get("restartCount") or 0), started)


def _later(before: HeldPod | None, now: HeldPod) -> HeldPod:
    ran = {c.name: c for c in before.containers if c.ran} if before else {}
    return replace(now, containers=tuple(c if c.ran else ran.get(c.name, c) for c in now.containers)) if before else now


def _started(event: dict[str, Any]) -> Started | None:
    target = event.get("involvedObject") or {}
    if event.get("reason") != "Started" or target.get("kind") != "Pod":
        return None
    container = str(target.get("fieldPath", "")).partition("{")[2].rstrip("}")
    return Started(str(target.get("name", "")), container, event.get("firstTimestamp") or event.get("eventTime") or "")


def _probe(plan: DrillPlan, started: Started) -> bool:
    """A pod of ours that is gone already, or the database's: known by names that no restored pod has."""
    return started.pod.startswith("dalp-dr-") or started.pod.startswith(f"{plan.environment.database.cluster}-")


def judge_nothing_ran(facts: HeldPods, plan: DrillPlan) -> CheckResult:
    """No container of a restored pod has run but Velero's and the one that holds it."""
    expected = f"in {facts.namespace} no restored container has started but those that wait and hold"
    findings = [f"{p.name}: no init container holds it" for p in facts.pods if not p.held]
    findings += [
        f"{p.name}: container {c.name} has run ({c.state}, {c.restarts} restarts, since {c.started_at or 'an unknown time'})"
        for p in facts.pods
        for c in p.containers
        if c.ran and c.name not in OURS
    ]
    findings += [
        f"{s.pod}: the kubelet started container {s.container or 'unknown'} at {s.at or 'an unknown time'}"
        for s in facts.started
        if s.container not in OURS
    ]
    if findings:
        return expect(False, expected, f"{len(findings)} signs of production code that ran", findings)
    services = [s.name for s in plan.environment.services if s.role == facts.role]
    if (facts.expected or services) and not facts.pods and not facts.started:
        return inconclusive(expected, f"none of {len(facts.expected)} restored pods was seen", facts.expected or services)
    gone = sorted(set(facts.expected) - {p.name for p in facts.pods})
    seen = f"{len(facts.pods)} pods held, {len(facts.started)} starts of waiting and holding containers"
    return expect(True, expected, seen + (f"; {len(gone)} pods of the backup were not seen and started nothing" if gone else ""))
