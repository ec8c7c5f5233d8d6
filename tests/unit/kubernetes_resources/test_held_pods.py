"""Whatever shows that a restored container has run before the drill started it turns the check red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.kubernetes_resources import held
from dalp_dr.model.check import Verdict
from velero_sample import PLAN, judged, said

WAITS = {"waiting": {"reason": "PodInitializing"}}
RUNS = {"running": {"startedAt": "2026-10-06T06:01:00Z"}}
ENDED = {"terminated": {"startedAt": "2026-10-06T06:00:30Z", "exitCode": 0}}


def status(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "restartCount": 0, "ready": False, **more}


def a_pod(
    name: str = "dalp-dapi-1", uid: str = "u-1", first: tuple[str, ...] = (held.RESTORE_WAIT, naming.HOLD), **own: Any
) -> dict[str, Any]:
    """A held pod: Velero's container has ended, ours runs, its own waits; `own` replaces the state of its own container."""
    return {
        "metadata": {"name": name, "uid": uid, "labels": own.pop("labels", {}), "creationTimestamp": "2026-10-06T06:00:00Z"},
        "spec": {"initContainers": [{"name": n} for n in first], "containers": [{"name": "api"}]},
        "status": {
            "phase": "Pending",
            "initContainerStatuses": [
                status(n, RUNS if n == naming.HOLD else ENDED, containerID="x") for n in first if n in held.OURS
            ],
            "containerStatuses": [status("api", own.pop("state", WAITS), **own)],
        },
    }  # fmt: skip


def an_event(pod: str, container: str, where: str = "spec.containers", reason: str = "Started") -> dict[str, Any]:
    target = {"kind": "Pod", "name": pod, "fieldPath": f"{where}{{{container}}}"}
    return {"reason": reason, "involvedObject": target, "firstTimestamp": "2026-10-06T06:00:40Z"}


BACKED_UP = [{"metadata": {"name": "dalp-dapi-1"}, "status": {"phase": "Running"}}]
QUIET = [an_event("dalp-dapi-1", naming.HOLD, "spec.initContainers"), an_event("dalp-dapi-1", "api", reason="Pulled")]


def facts(*pods: dict[str, Any], events: list[dict[str, Any]] | None = None, earlier: held.HeldPods | None = None) -> held.HeldPods:
    return held.facts_from(PLAN, "app", BACKED_UP, pods, QUIET if events is None else events, earlier)


def answer(found: held.HeldPods) -> Any:
    return judged("held_pods", found)["nothing_ran_before_start"]


@pytest.mark.parametrize(
    ("pods", "events", "verdict", "finding"),
    [
        ([a_pod()], QUIET, Verdict.PASS, ""),
        ([a_pod(first=(naming.HOLD,))], QUIET, Verdict.PASS, ""),
        ([a_pod(first=(held.RESTORE_WAIT, naming.HOLD, "migrate"))], QUIET, Verdict.PASS, ""),
        ([a_pod(state=RUNS)], QUIET, Verdict.FAIL, "container api has run (running, 0 restarts, since 2026-10-06T06:01:00Z)"),
        ([a_pod(state=ENDED)], QUIET, Verdict.FAIL, "container api has run (terminated"),
        ([a_pod(restartCount=2)], QUIET, Verdict.FAIL, "2 restarts"),
        ([a_pod(lastState=ENDED)], QUIET, Verdict.FAIL, "container api has run"),
        ([a_pod(containerID="containerd://1")], QUIET, Verdict.FAIL, "an unknown time"),
        ([a_pod(first=(held.RESTORE_WAIT,))], QUIET, Verdict.FAIL, "no init container holds it"),
        ([a_pod(first=("migrate", naming.HOLD))], QUIET, Verdict.FAIL, "no init container holds it"),
        ([a_pod()], [an_event("dalp-dapi-0", "api")], Verdict.FAIL, "dalp-dapi-0: the kubelet started container api at"),
        ([], [], Verdict.INCONCLUSIVE, "none of 1 restored pods was seen"),
        ([], QUIET, Verdict.PASS, ""),
    ],
    ids=[
        "held",
        "no-volumes",
        "own-init-container-after-the-hold",
        "runs",
        "ended",
        "restarted",
        "ran-before",
        "has-a-container-id",
        "not-held",
        "held-too-late",
        "a-pod-that-is-gone",
        "nothing-seen",
        "replaced-and-quiet",
    ],
)
def test_judgement(pods: list[dict[str, Any]], events: list[dict[str, Any]], verdict: Verdict, finding: str) -> None:
    result = answer(facts(*pods, events=events))
    assert result.verdict is verdict, result
    assert finding in said(result)


def test_pods_of_ours_and_of_the_database_are_no_restored_ones() -> None:
    pods = [
        a_pod("dalp-dr-gateway-1", "u-2", labels={naming.LABEL_OWNED: naming.OWNER}, state=RUNS),
        a_pod("dalp-pg-1", "u-3", labels={held.LABEL_CLUSTER: "dalp-pg"}, state=RUNS),
    ]
    events = [
        an_event("dalp-dr-probe-before", "probe"),
        an_event("dalp-pg-1-full-recovery-x", "full-recovery"),
        an_event("dalp-pg-1", "postgres"),
    ]
    found = facts(a_pod(), *pods, events=events)
    assert ([p.name for p in found.pods], found.started) == (["dalp-dapi-1"], ())


def test_a_rerun_keeps_what_was_seen_before_the_pods_were_removed() -> None:
    first = facts(a_pod(state=RUNS))
    assert answer(facts(events=[], earlier=first)).verdict is Verdict.FAIL
    assert answer(facts(a_pod(), events=[], earlier=first)).verdict is Verdict.FAIL, "a container that has run has run"
    assert answer(facts(events=[], earlier=facts(a_pod()))).verdict is Verdict.PASS


def test_a_pod_that_had_ended_in_the_backup_is_not_expected() -> None:
    backed_up = [{"metadata": {"name": "dalp-rates-1"}, "status": {"phase": "Succeeded"}}]
    assert held.facts_from(PLAN, "app", backed_up, [], []).expected == ()


def test_a_namespace_with_services_in_which_no_pod_was_seen_proves_nothing() -> None:
    nothing = held.HeldPods("app", "x", (), (), ())
    assert held.judge_nothing_ran(nothing, PLAN).verdict is Verdict.INCONCLUSIVE
    assert held.judge_nothing_ran(replace(nothing, role="other"), PLAN).verdict is Verdict.PASS, "no service runs there"
