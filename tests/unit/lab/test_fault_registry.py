"""The named faults: complete, findable, recorded before they act."""

from pathlib import Path

import pytest

from dalp_dr import catalogue
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults import database, isolation, record, registry

DEMANDED = {"one-wei", "wal-gap", "empty-volume", "missing-secret", "wrong-object-version", "stale-backup"}


def test_demanded_faults_exist() -> None:
    assert set(registry.FAULTS) >= DEMANDED


def test_every_fault_says_what_it_does_and_what_it_must_cause() -> None:
    for name, fault in registry.FAULTS.items():
        assert fault.name == name
        assert fault.sentence.endswith(".")
        assert fault.checks, name
        assert fault.outcome in ("FIX", "refused"), name


def test_every_fault_names_checks_that_exist() -> None:
    known = {check.id for check in catalogue.CHECKS}
    for name, fault in registry.FAULTS.items():
        assert set(fault.checks) <= known, name


def test_a_fault_is_refused_when_and_only_when_one_of_its_checks_refuses() -> None:
    refusing = {check.id for check in catalogue.CHECKS if check.refuses}
    for name, fault in registry.FAULTS.items():
        assert (fault.outcome == "refused") == bool(refusing & set(fault.checks)), name


def test_names_are_unique() -> None:
    names = [fault.name for module in registry.MODULES for fault in module.FAULTS]
    assert len(names) == len(set(names))


def test_an_upgrade_comes_before_the_damage_that_it_would_undo() -> None:
    order = [fault.name for fault in registry.named(["dropped-service", "drifted-values"])]
    assert order == ["drifted-values", "dropped-service"]


def test_unknown_fault_is_refused_with_all_names() -> None:
    with pytest.raises(LabError, match=r"one-wie.*one-wei"):
        registry.named(["one-wie"])


class FolderOnly:
    """A lab that has nothing but its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_record_round_trip(tmp_path: Path) -> None:
    lab = FolderOnly(tmp_path)
    assert record.read(lab) == []  # type: ignore[arg-type]
    active = [record.Active("one-wei", "2026-11-24T15:00:00+00:00", notes={"token": "0xab"})]
    record.write(lab, active)  # type: ignore[arg-type]
    assert record.read(lab) == active  # type: ignore[arg-type]
    assert active[0].moment.utcoffset() is not None


@pytest.mark.parametrize(
    ("segment", "after"),
    [
        ("000000010000000000000003", "000000010000000000000004"),
        ("00000001000000000000000F", "000000010000000000000010"),
        ("0000000100000000000000FF", "000000010000000100000000"),
        ("0000000200000001000000FF", "000000020000000200000000"),
    ],
)
def test_next_segment(segment: str, after: str) -> None:
    assert database.next_segment(segment) == after


@pytest.mark.parametrize(("text", "expected"), [("2", 2000), ("150m", 150), ("0.5", 500), ("0m", 0)])
def test_millicpus(text: str, expected: int) -> None:
    assert isolation.millicpus(text) == expected


DESIGNED = (
    "stale-backup failed-backup paused-schedule wal-gap target-past-archive poisoned-archive corrupt-index empty-volume missing-secret "
    "dropped-service wrong-object-version deleted-object one-wei forked-chain lagging-rpc wrong-chain-id double-send-nonce unlabelled-pod "
    "manual-edit drifted-values expired-certificate open-egress wrong-kubeconfig foreign-namespace velero-restarted velero-stopped "
    "node-agent-down bsl-unavailable quota-too-small"
)


def test_every_named_danger_has_its_fault() -> None:
    assert set(DESIGNED.split()) <= set(registry.FAULTS)
    assert len(registry.FAULTS) >= 30
