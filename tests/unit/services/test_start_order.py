"""Holding and releasing workloads, and the order of the services."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.errors import FactError
from dalp_dr.naming import ANNOTATION_REPLICAS, HOLD
from dalp_dr.services import start
from sandbox_sample import PLAN


def a_workload(
    replicas: int | None = 2,
    remembered: str | None = None,
    name: str = "dalp-dapi",
    kind: str = "Deployment",
    namespace: str = PLAN.namespace("app"),
    labels: dict[str, str] | None = None,
    init: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {ANNOTATION_REPLICAS: remembered} if remembered is not None else None,
        },
        "spec": {
            "template": {
                "metadata": {"labels": labels or {}},
                "spec": {"containers": [], **({"initContainers": [{"name": n} for n in init]} if init else {})},
            },
            **({} if replicas is None else {"replicas": replicas}),
        },
    }


@pytest.mark.parametrize(
    ("workload", "kept"),
    [(a_workload(2), "2"), (a_workload(None), "1"), (a_workload(0), "0"), (a_workload(3, "2"), "2")],
)
def test_holding_remembers_the_replicas_once(workload: dict[str, Any], kept: str) -> None:
    assert start.hold_patch(workload) == {
        "metadata": {"annotations": {ANNOTATION_REPLICAS: kept}},
        "spec": {"replicas": 0},
    }


def test_a_held_workload_needs_no_patch() -> None:
    assert start.hold_patch(a_workload(0, "2")) is None


@pytest.mark.parametrize(
    ("init", "kept"),
    [
        ((), None),
        ((HOLD,), None),
        ((HOLD, "migrate"), [{"name": "migrate"}]),
        (("migrate", HOLD, "wait"), [{"name": "migrate"}, {"name": "wait"}]),
    ],
)
def test_release_gives_back_the_replicas_and_takes_only_the_hold_away(init: tuple[str, ...], kept: Any) -> None:
    released = start.release_patch(a_workload(0, "2", init=init))
    assert released == {"spec": {"replicas": 2, "template": {"spec": {"initContainers": kept}}}}


@pytest.mark.parametrize("remembered", [None, "", "many", "-1"])
def test_release_without_a_memory_is_an_error(remembered: str | None) -> None:
    with pytest.raises(FactError, match="Deployment dalp-dapi has no annotation"):
        start.release_patch(a_workload(0, remembered))


def test_groups_follow_the_order_and_the_worker_is_last() -> None:
    groups = start.groups(PLAN.environment)
    assert [sorted({s.order for s in g}) for g in groups] == [[n] for n in sorted({s.order for s in PLAN.environment.services})]
    assert [s.serves for s in groups[-1]] == ["worker"]
    assert sum(len(g) for g in groups) == len(PLAN.environment.services)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dalp-dapi", ("Deployment", "dalp-dapi")), ("dalp-indexer", ("StatefulSet", "dalp-indexer"))],
)
def test_workload_of_a_service(name: str, expected: tuple[str, str]) -> None:
    assert start.workload_of(next(s for s in PLAN.environment.services if s.name == name)) == expected
