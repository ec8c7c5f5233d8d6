"""What the runner answers as the owner, and what it refuses to sign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr_lab.drill import sign_off
from dalp_dr_lab.drill.rest import Question
from dalp_dr_lab.errors import LabError

DIGEST, OTHER = "ab" * 32, "cd" * 32
ASKED = Question(
    task_id="sign_off.approve",
    map_index=-1,
    try_number=1,
    subject="Sign off d-20261124-1a2b3c4d?",
    body=f"The sealed bundle has sha256 {DIGEST}.",
    options=("Approve", "Reject"),
    form={"bundle_sha256": DIGEST, "comment": "", "role": "accountable owner"},
    assigned_users=("owner",),
)


def test_the_owner_approves_the_digest_that_is_shown() -> None:
    given = sign_off.answer(ASKED, DIGEST)
    assert (given.option, given.digest) == ("Approve", DIGEST)
    assert given.form["bundle_sha256"] == DIGEST
    assert "no person" in str(given.form["comment"])
    assert given.form["role"] == "accountable owner"


def test_a_form_that_asks_for_the_digest_gets_it() -> None:
    given = sign_off.answer(replace(ASKED, form={"digest": None}), None)
    assert given.form == {"digest": DIGEST}


@pytest.mark.parametrize(
    ("case", "question", "sealed", "says"),
    [
        ("another digest than the bundle's", ASKED, OTHER, "Do not approve"),
        ("no digest", replace(ASKED, body="Sign?", form={}), None, "shows no digest"),
        ("two digests", replace(ASKED, body=f"{DIGEST} or {OTHER}"), None, "shows no digest"),
        ("someone else is asked", replace(ASKED, assigned_users=("auditor",)), DIGEST, "does not play"),
        ("nothing to approve", replace(ASKED, options=("OK",)), DIGEST, "none of them is an approval"),
    ],
)
def test_the_owner_does_not_sign(case: str, question: Question, sealed: str | None, says: str) -> None:
    with pytest.raises(LabError, match=says):
        sign_off.answer(question, sealed)


def test_no_answer_in_the_first_seconds() -> None:
    patience = sign_off.Patience()
    assert [patience.due(ASKED, now) for now in (100.0, 102.0, 104.0, 105.0)] == [False, False, False, True]


def test_a_second_try_is_a_new_question() -> None:
    patience = sign_off.Patience()
    patience.due(ASKED, 100.0)
    assert not patience.due(replace(ASKED, try_number=2), 110.0)


def test_the_owner_does_not_answer_for_ever() -> None:
    patience = sign_off.Patience()
    for _ in range(sign_off.ATTEMPTS):
        patience.count(ASKED)
    with pytest.raises(LabError, match="did not take the answer"):
        patience.count(ASKED)
