"""A dry run says what a drill would do and what it would cost, and creates nothing."""

from __future__ import annotations

import pytest

from dalp_dr_lab.drill.leftovers import _items
from dalp_dr_lab.lab import NAMESPACES, Lab
from drill_on_lab import airflow_api, restores, run_drill, sandboxes

pytestmark = [pytest.mark.lab, pytest.mark.drill]


def test_a_dry_run_describes_and_creates_nothing(lab: Lab) -> None:
    before = sandboxes(lab), restores(lab), _evidence(lab)
    done = run_drill("--no-backup", "--dry-run")
    assert (sandboxes(lab), restores(lab), _evidence(lab)) == before
    assert (done.status, done.run.state, done.summary) == (0, "success", {})
    text = "\n".join(airflow_api(lab, "viewer").xcom(done.run, "plan.freeze", "dry_run"))
    assert "Recoverable window: 20" in text
    assert all(f"Namespace {name}: backup " in text for name in NAMESPACES)
    assert all(word in text for word in ("Would create: namespaces dalp-drill-", "CPU", "MiB memory", "requests", "minutes"))
    assert _items(lab, "leases.coordination.k8s.io") == []


def _evidence(lab: Lab) -> int:
    """How many objects the evidence store holds."""
    pages = lab.s3("admin").get_paginator("list_objects_v2").paginate(Bucket="dalp-evidence")
    return sum(page["KeyCount"] for page in pages)
