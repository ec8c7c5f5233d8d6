"""How a bucket keeps its versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from dalp_dr.object_storage import facts, protection
from sandbox_sample import PLAN

BUCKET = "dalp-documents"


def rule(days: int, status: str = "Enabled", **filter_: Any) -> dict[str, Any]:
    return {
        "ID": "r",
        "Status": status,
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        **({"Filter": filter_} if filter_ else {}),
    }


def found(rules: list[dict[str, Any]] | None, versioning: dict[str, str] | None = None) -> protection.BucketProtection:
    lifecycle = None if rules is None else {"Rules": rules}
    return facts.bucket_protection(PLAN, BUCKET, {"Status": "Enabled"} if versioning is None else versioning, lifecycle)


@pytest.mark.parametrize(
    ("versioning", "verdict"), [({"Status": "Enabled"}, Verdict.PASS), ({"Status": "Suspended"}, Verdict.FAIL), ({}, Verdict.FAIL)]
)
def test_only_enabled_versioning_counts(versioning: dict[str, str], verdict: Verdict) -> None:
    assert protection.judge_versioning(found([], versioning), PLAN).verdict is verdict


HORIZONS: dict[str, tuple[list[dict[str, Any]] | None, Verdict]] = {
    "no lifecycle at all": (None, Verdict.PASS),
    "long enough": ([rule(90)], Verdict.PASS),
    "one day short": ([rule(89)], Verdict.FAIL),
    "short for another prefix": ([rule(1, Prefix="tmp/")], Verdict.PASS),
    "short for a prefix below ours": ([rule(1, Prefix="uploads/2026/")], Verdict.FAIL),
    "short for a prefix above ours": ([rule(1, Prefix="up")], Verdict.FAIL),
    "short but disabled": ([rule(1, status="Disabled")], Verdict.PASS),
    "short for tagged objects": ([rule(1, Tag={"Key": "a", "Value": "b"})], Verdict.INCONCLUSIVE),
    "short for tagged objects below ours": (
        [rule(1, And={"Prefix": "exports/", "Tags": [{"Key": "a", "Value": "b"}]})],
        Verdict.INCONCLUSIVE,
    ),
    "prefix of the old form": ([rule(1) | {"Prefix": "exports/"}], Verdict.FAIL),
    "other kind of rule": ([{"ID": "x", "Status": "Enabled", "Expiration": {"Days": 1}}], Verdict.PASS),
}


@pytest.mark.parametrize("case", HORIZONS)
def test_the_horizon_of_noncurrent_versions(case: str) -> None:
    rules, verdict = HORIZONS[case]
    assert protection.judge_horizon(found(rules), PLAN).verdict is verdict


def test_the_rule_and_the_prefix_are_named() -> None:
    result = protection.judge_horizon(found([rule(7, Prefix="exports/")]), PLAN)
    assert result.findings == ("rule r: 7 days for exports/, which covers exports/",)


def test_without_versioning_there_is_no_horizon() -> None:
    assert protection.judge_horizon(found(None, {}), PLAN).verdict is Verdict.FAIL


def test_an_unknown_bucket_is_an_error() -> None:
    with pytest.raises(FactError, match="not in the environment file"):
        facts.bucket_protection(PLAN, "other", {}, None)


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found([rule(7)])
    assert KINDS["bucket_protection"].decode(json.loads(json.dumps(encode(read)))) == read
