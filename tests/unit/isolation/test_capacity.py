"""What a sandbox needs at its peak, and whether it fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.isolation import capacity
from dalp_dr.isolation.capacity import Capacity, RoleNeed
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN, a_pod

MIB = 2**20


def a_node(cpu: str = "2", memory: str = "8Gi", ready: str = "True", unschedulable: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": "n"},
        "spec": {"unschedulable": unschedulable},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def a_claim(namespace: str, size: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "c"}, "spec": {"resources": {"requests": {"storage": size}}}}


@pytest.mark.parametrize(
    ("pod", "cpu", "memory"),
    [
        (a_pod("dalp", "p", cpu="300m", memory="256Mi"), 300, 256),
        (a_pod("dalp", "p", cpu=None, memory=None), 10, 32),
        (a_pod("dalp", "p", cpu="20m", memory="16Mi", volumes=("data",)), 100, 128),
        (a_pod("dalp", "p", cpu="500m", memory="1Gi", volumes=("data",)), 500, 1024),
        (a_pod("dalp", "p", cpu="20m", memory="16Mi", volumes=("d",), labels={"cnpg.io/cluster": "dalp-pg"}), 20, 16),
        (a_pod("dalp", "p", cpu="20m", memory="16Mi", init=("1", "512Mi")), 1000, 512),
        (a_pod("dalp", "p", phase="Succeeded"), 0, 0),
    ],
)
def test_need_of_a_pod(pod: dict[str, Any], cpu: int, memory: int) -> None:
    need = capacity.needs(PLAN, [pod], [])[0]
    assert (need.cpu_millicores - 20, (need.memory_bytes - 64 * MIB) // MIB) == (cpu, memory)


def test_needs_are_kept_apart_by_namespace() -> None:
    found = capacity.needs(PLAN, [a_pod("dalp-support", "p"), a_pod("elsewhere", "p")], [a_claim("dalp", "1Gi"), a_claim("dalp", "512Mi")])
    assert [(n.role, n.pods, n.disk_bytes // MIB) for n in found] == [
        ("app", 2, 1536),
        ("support", 3, 0),
        ("observability", 2, 0),
    ]


def test_facts_leave_out_this_drills_own_pods_finished_pods_and_unusable_nodes() -> None:
    pods = [
        a_pod("dalp", "a", cpu="100m"),
        a_pod(PLAN.namespace("app"), "ours", cpu="1"),
        a_pod("dalp", "done", cpu="1", phase="Succeeded"),
        a_pod("dalp", "free", cpu=None, memory=None),
    ]
    facts = capacity.facts_from(PLAN, [a_node(), a_node(ready="False"), a_node(unschedulable=True)], pods, [], [])
    assert (facts.nodes, facts.allocatable_millicores, facts.requested_millicores, facts.running_pods) == (
        1,
        2000,
        100,
        2,
    )


FITS = Capacity(1, 2000, 8 * 2**30, 110, 500, 2**30, 20, None, (RoleNeed("app", 1000, 2**30, 12, 2**30),), 4000, 6 * 2**30, 40)


@pytest.mark.parametrize(
    ("changes", "verdict", "finding"),
    [
        ({}, Verdict.PASS, ""),
        ({"requested_millicores": 1001}, Verdict.FAIL, "CPU (millicores): 1000 needed, 999 free"),
        ({"requested_bytes": 8 * 2**30}, Verdict.FAIL, "memory (bytes)"),
        ({"running_pods": 109}, Verdict.FAIL, "pods: 12 needed, 1 free"),
        ({"storage_free_bytes": 2**30 - 1}, Verdict.FAIL, "disk (bytes)"),
        ({"storage_free_bytes": 2**30}, Verdict.PASS, ""),
        ({"quota_pods": 11}, Verdict.FAIL, "quota of app, pods: 12 needed, 11 allowed"),
        ({"quota_millicores": 999}, Verdict.FAIL, "quota of app, CPU"),
        ({"nodes": 0}, Verdict.INCONCLUSIVE, ""),
        ({"needs": ()}, Verdict.INCONCLUSIVE, ""),
    ],
)
def test_judgement(changes: dict[str, Any], verdict: Verdict, finding: str) -> None:
    result = capacity.capacity_sufficient(replace(FITS, **changes), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_unknown_free_disk_is_said() -> None:
    assert "not judged" in capacity.capacity_sufficient(FITS, PLAN).observed


def test_the_database_of_a_lost_source_is_counted_though_no_backup_holds_it() -> None:
    pod, claim = capacity.of_database(PLAN)
    found = capacity.needs(PLAN, [pod], [claim])[0]
    assert (found.role, found.pods, found.disk_bytes) == ("app", 3, 1024 * MIB)
    assert found.cpu_millicores > capacity.needs(PLAN, [], [])[0].cpu_millicores
