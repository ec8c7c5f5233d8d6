"""Records come back as they were written, and a wrong shape is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr.kubernetes_resources.volumes import Volume, VolumeFacts
from dalp_dr.model.record import Capture, Record, RecordKind, encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CAPTURE = Capture("restore", "kubernetes: restores", "a" * 64, 12)


def a_record(**changes: Any) -> Record:
    values: dict[str, Any] = {"kind": "backup", "subject": "app", "drill_id": "d-1", "task_id": "preflight.backups", "attempt": 1}
    return Record(**(values | {"recorded_at": "2026-10-06T06:00:00Z", "facts": {"x": 1}, "captures": (CAPTURE,)} | changes))


@given(st.dictionaries(st.text(), PLAIN, max_size=4) | st.none(), st.integers(1, 99))
def test_round_trip(facts: dict[str, Any] | None, attempt: int) -> None:
    record = a_record(facts=facts, error=None if facts is not None else "no answer", attempt=attempt)
    assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record


WRONG = {
    "no kind": lambda d: d.pop("kind"),
    "an attempt that is text": lambda d: d.update(attempt="1"),
    "facts that are a list": lambda d: d.update(facts=[]),
    "a capture without a digest": lambda d: d["captures"][0].pop("sha256"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_shape_is_refused(case: str) -> None:
    data = a_record().to_dict()
    WRONG[case](data)
    with pytest.raises(msgspec.ValidationError):
        Record.from_dict(data)


def test_names_sort_by_attempt() -> None:
    assert [a_record(attempt=n).name for n in (2, 10)] == ["backup--app--02.json", "backup--app--10.json"]


def test_facts_come_back_typed() -> None:
    facts = VolumeFacts("app", "dalp", "b-1", (Volume("journal", 11, 2, 11, "a", True, 1, ("x",)),), ("journal",))
    kind = RecordKind("volumes", VolumeFacts, "verify")
    assert kind.decode(json.loads(json.dumps(encode(facts)))) == facts
    with pytest.raises(msgspec.ValidationError, match="claims_in_backup"):
        kind.decode({k: v for k, v in encode(facts).items() if k != "claims_in_backup"})
