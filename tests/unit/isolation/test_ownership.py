"""Who may remove what a drill made: a table of drills, and objects that only look like ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.isolation import ownership
from dalp_dr.isolation.ownership import ENDED, GONE, UNDER_WAY, UNKNOWN, Standing
from dalp_dr.lease import Holder
from dalp_dr.model.plan import utc
from sandbox_sample import PLAN

ASKED = utc(PLAN.asked_at)
SOON, EXPIRED = ASKED + timedelta(hours=1), utc(PLAN.expires_at) + timedelta(minutes=1)
OURS = Holder(PLAN.drill_id, (ASKED + timedelta(days=9)).isoformat())
RAN_OUT = Holder(PLAN.drill_id, ASKED.isoformat())
ANOTHERS = Holder("d-20261006-ffffffff", (ASKED + timedelta(days=9)).isoformat())
KEPT = PLAN.expires_at
CASES = {
    "under way with its lease": (Standing(PLAN.drill_id, PLAN, UNDER_WAY, OURS), SOON, False),
    "under way with its lease, though expired": (Standing(PLAN.drill_id, PLAN, UNDER_WAY, OURS), EXPIRED, False),
    "waits for its owner, its lease has run out": (Standing(PLAN.drill_id, PLAN, UNDER_WAY, RAN_OUT), SOON, False),
    "waits for its owner beyond the expiry of its sandbox": (Standing(PLAN.drill_id, PLAN, UNDER_WAY, None), EXPIRED, True),
    "ended and kept for on-call": (Standing(PLAN.drill_id, PLAN, ENDED, None, KEPT), SOON, False),
    "ended, kept, expired": (Standing(PLAN.drill_id, PLAN, ENDED, None, KEPT), EXPIRED, True),
    "ended without a teardown": (Standing(PLAN.drill_id, PLAN, ENDED, None), SOON, True),
    "ended by a crash that left the lease": (Standing(PLAN.drill_id, PLAN, ENDED, OURS), SOON, True),
    "deleted in Airflow": (Standing(PLAN.drill_id, PLAN, GONE, OURS), SOON, True),
    "Airflow is silent, the lease is alive": (Standing(PLAN.drill_id, PLAN, UNKNOWN, OURS), EXPIRED, False),
    "Airflow is silent, the lease has run out": (Standing(PLAN.drill_id, PLAN, UNKNOWN, RAN_OUT), SOON, True),
    "Airflow is silent, another holds the lease": (Standing(PLAN.drill_id, PLAN, UNKNOWN, ANOTHERS), SOON, True),
    "Airflow is silent, kept for on-call": (Standing(PLAN.drill_id, PLAN, UNKNOWN, None, KEPT), SOON, False),
    "stopped while its lease is alive": (Standing(PLAN.drill_id, PLAN, UNDER_WAY, OURS, None, True), SOON, True),
    "no plan": (Standing(PLAN.drill_id, None, GONE, None), EXPIRED, False),
}


@pytest.mark.parametrize(("found", "now", "remove"), CASES.values(), ids=CASES.keys())
def test_who_may_be_removed(found: Standing, now: Any, remove: bool) -> None:
    said = ownership.ruling(found, now)
    assert (said.remove, bool(said.why)) == (remove, True)


def an_object(**labels: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": PLAN.namespace("app"), "labels": PLAN.labels | labels}}


def test_an_object_of_the_drill_is_proven() -> None:
    assert ownership.proven(an_object(**{"kubernetes.io/metadata.name": "x"}), PLAN)


@pytest.mark.parametrize("label", [naming.LABEL_TOKEN, naming.LABEL_DRILL, naming.LABEL_ENVIRONMENT, naming.LABEL_OWNED])
def test_one_wrong_label_is_enough_to_be_left_alone(label: str) -> None:
    copied = an_object(**{label: "copied"})
    assert not ownership.proven(copied, PLAN)
    assert ownership.strangers([copied, an_object()], PLAN) == (f"namespaces/{PLAN.namespace('app')}",)


def test_an_object_without_labels_is_nobodys() -> None:
    assert not ownership.proven({"kind": "ConfigMap", "metadata": {"name": "x"}}, PLAN)
    assert ownership.drill_of({"kind": "ConfigMap", "metadata": {"name": "x"}}) == ""


def test_the_token_follows_from_the_plan_and_not_from_the_labels_beside_it() -> None:
    other = replace(PLAN, started_by="somebody else")
    assert {k: v for k, v in other.labels.items() if k != naming.LABEL_TOKEN} == naming.labels(PLAN.drill_id, PLAN.environment.name)
    assert len(PLAN.token) == 32 and other.token != PLAN.token


def test_what_holds_a_namespace_is_told_in_the_words_of_the_api_server() -> None:
    message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    conditions = [
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content successfully deleted"},
        {"type": "NamespaceFinalizersRemaining", "status": "True", "message": message},
    ]
    assert ownership.held_by({"status": {"phase": "Terminating", "conditions": conditions}}) == (message,)
    assert ownership.held_by({"status": {"phase": "Active"}}) == ()
