"""Time stamps of a seal: those of an authority that the reader trusts attest the clock, all others do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import bundle, seal, timestamp
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.verify import Verification, verify
from synthetic_drill import CATALOGUE, KEY, PUBLIC, a_plan, good_records, private_pem, sealed
from timestamp_authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "Another")


def sealed_at(moment: datetime) -> Bundle:
    """A bundle whose worker says that it sealed at this moment."""
    whole = sealed(a_plan(), good_records(a_plan()))
    inside = {path: data for path, data in whole.files.items() if path != bundle.STATEMENT}
    return seal.seal(Bundle(inside, whole.manifest_sha256), private_pem(KEY), moment.isoformat())


def stamped(made: Bundle, by: Authority) -> Bundle:
    return made.with_timestamp(by.answer(timestamp.question(made.files[bundle.STATEMENT])))


def checked(made: Bundle, *trusted: Authority) -> Verification:
    roots = [certificate for one in trusted for certificate in timestamp.certificates(one.root)]
    return verify(made, (PUBLIC,), authorities=roots, **CATALOGUE)


def test_an_authority_that_the_reader_trusts_attests_the_clock(authority: Authority) -> None:
    result = checked(stamped(sealed_at(datetime.now(UTC)), authority), authority)
    assert result.intact, result.problems
    assert any(note.startswith("clock attested") for note in result.notes)
    assert not any(note.startswith("clock not attested") for note in result.notes)


def test_without_a_root_the_clock_is_not_attested_and_the_reader_is_told_how(authority: Authority) -> None:
    result = checked(stamped(sealed_at(datetime.now(UTC)), authority))
    assert result.intact and any("--timestamp-root" in note for note in result.notes)
    assert any(note.startswith("clock not attested") for note in result.notes)


def test_without_a_stamp_the_clock_is_not_attested(authority: Authority) -> None:
    result = checked(sealed_at(datetime.now(UTC)), authority)
    assert result.intact and any(note.startswith("clock not attested") for note in result.notes)


WRONG: dict[str, tuple[Callable[[Authority, Authority], Bundle], str]] = {
    "an authority nobody trusts": (lambda ours, other: stamped(sealed_at(datetime.now(UTC)), other), "no authority that you trust"),
    "the stamp of another seal": (
        lambda ours, other: sealed_at(datetime.now(UTC)).with_timestamp(ours.answer(timestamp.question(b"another statement"))),
        "the time stamp of something else",
    ),
    "a seal that is dated back": (
        lambda ours, other: stamped(sealed_at(datetime.now(UTC) - timedelta(days=3)), ours),
        "the authority saw the seal",
    ),
    "a seal of the future": (
        lambda ours, other: stamped(sealed_at(datetime.now(UTC) + timedelta(hours=1)), ours),
        "the authority saw the seal",
    ),
    "no stamp at all": (lambda ours, other: sealed_at(datetime.now(UTC)).with_timestamp(b"nonsense"), "is no time stamp"),
}


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_stamp_is_a_problem(
    make: Callable[[Authority, Authority], Bundle], said: str, authority: Authority, stranger: Authority
) -> None:
    result = checked(make(authority, stranger), authority)
    assert [problem.where for problem in result.problems] == ["after/timestamp-01.tsr"]
    assert said in result.problems[0].what
    assert any(note.startswith("clock not attested") for note in result.notes) or "saw the seal" in said


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no PEM certificate"):
        timestamp.certificates(b"nonsense")
