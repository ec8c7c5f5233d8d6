"""Faults of the documents bucket on a real SeaweedFS: done, seen by the check that must name them, and undone."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr import catalogue
from dalp_dr.model.check import Verdict
from dalp_dr.object_storage import facts
from dalp_dr_lab.faults import object_storage
from dalp_dr_lab.lab import BUCKETS, Lab
from sandbox_sample import PLAN

pytestmark = pytest.mark.lab

FAULTS = {fault.name: fault for fault in object_storage.FAULTS}


@pytest.fixture(scope="module")
def lab(object_store: Lab) -> Lab:
    return object_store


def verdicts(lab: Lab) -> dict[str, Verdict]:
    """What the checks say of the bucket as it is, asked with the drill's own read identity."""
    from dalp_dr_airflow.hooks.object_versions import ObjectVersionHook

    hook = ObjectVersionHook("unused")
    vars(hook)["client"] = lab.s3("documents-reader")
    found: dict[str, Any] = hook.protection(BUCKETS["documents"])
    seen = facts.bucket_protection(PLAN, BUCKETS["documents"], found["versioning"], found["lifecycle"])
    return {check.id: check.judge(seen, PLAN).verdict for check in catalogue.checks_of("bucket_protection")}


@pytest.mark.parametrize("name", ["versioning-suspended", "short-horizon"])
def test_it_is_found_by_its_check_alone_and_mended(lab: Lab, name: str) -> None:
    fault, notes = FAULTS[name], {}  # type: ignore[var-annotated]
    assert set(verdicts(lab).values()) == {Verdict.PASS}
    fault.damage(lab, notes)
    assert {check for check, verdict in verdicts(lab).items() if verdict is Verdict.FAIL} == set(fault.checks)
    fault.mend(lab, notes)
    assert set(verdicts(lab).values()) == {Verdict.PASS}
