"""One drill at a time: a lease that is free, ours, a stranger's, or has expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr import lease, naming
from dalp_dr.errors import RefusedError

NOW = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)


def a_lease(drill: str = "d-other", hours: float = 2, **annotations: str) -> dict[str, Any]:
    made = lease.manifest("dalp-dr", "lab", drill, NOW, hours)
    made["metadata"]["annotations"] |= annotations
    return made


def bare(holder: str | None) -> dict[str, Any]:
    return {"metadata": {"name": "dalp-drill-lab"}, "spec": {"holderIdentity": holder} if holder is not None else {}}


FREE: dict[str, dict[str, Any] | None] = {
    "there is none": None,
    "ours, after a rerun": a_lease("d-mine"),
    "ours, long expired": a_lease("d-mine", -10),
    "another's, expired": a_lease("d-other", -0.001),
    "another's, expiring now": a_lease("d-other", 0),
    "given back": bare(""),
    "held by nobody": bare(None),
    "without a spec": {"metadata": {"name": "dalp-drill-lab"}},
}
HELD = {
    "another drill's": a_lease("d-other"),
    "another drill's for a moment more": a_lease("d-other", 0.001),
    "a person's, who set no expiry": bare("maintenance by hand"),
    "one whose expiry is no time": a_lease("d-other", 2, **{naming.ANNOTATION_EXPIRES: "tomorrow"}),
    "one whose expiry has no time zone": a_lease("d-other", 2, **{naming.ANNOTATION_EXPIRES: "2020-01-01T00:00:00"}),
}


@pytest.mark.parametrize("case", FREE)
def test_free(case: str) -> None:
    lease.must_be_free(FREE[case], "d-mine", NOW)


@pytest.mark.parametrize("case", HELD)
def test_held(case: str) -> None:
    with pytest.raises(RefusedError, match=r"^Drill .* holds this environment until") as raised:
        lease.must_be_free(HELD[case], "d-mine", NOW)
    assert "must be gone before another drill starts" in raised.value.next_step


def test_what_is_written_is_what_is_read() -> None:
    made = a_lease("d-mine", 2)
    assert lease.holder(made) == lease.Holder("d-mine", (NOW + timedelta(hours=2)).isoformat())
    assert made["spec"]["leaseDurationSeconds"] == 7200
    assert made["metadata"]["name"] == "dalp-drill-lab", "one an environment, whoever asks"
    assert made["metadata"]["labels"] == naming.labels("d-mine", "lab")
