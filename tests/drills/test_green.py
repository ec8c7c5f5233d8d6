"""A whole quarterly drill over the sound lab: READY, for reasons that an outsider can check, and nothing else touched."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dalp_dr_lab.lab import NAMESPACES, Lab
from dalp_dr_lab.miniature.backup import SERVER
from drill_on_lab import Ended, restores, run_drill, sandboxes
from source_state import archive, foreign, objects

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@dataclass(frozen=True)
class Green:
    """The drill, and production's objects and archive on both sides of it."""

    drill: Ended
    before: dict[str, tuple[str, ...]]
    after: dict[str, tuple[str, ...]]
    restores_before: set[str]


@pytest.fixture(scope="module")
def green(lab: Lab) -> Green:
    before, made = objects(lab), restores(lab)
    return Green(run_drill("--no-backup"), before, objects(lab), made)


def test_the_decision_is_ready_and_the_command_says_so(green: Green) -> None:
    assert (green.drill.summary["decision"], green.drill.summary["verdict"], green.drill.summary["reasons"]) == ("READY", "pass", [])
    assert green.drill.status == 0
    assert green.drill.run.state == "success"


def test_times_were_measured(green: Green) -> None:
    found = green.drill.summary
    assert 0 < found["rto_seconds"] <= found["rtt_seconds"] <= green.drill.seconds
    assert set(found["rpo_by_surface"]) == set(found["targets"]["rpo_seconds"])


def test_an_outsider_verifies_it_with_the_public_key_and_the_ledger_alone(green: Green, lab: Lab, tmp_path: Path) -> None:
    """No network, no state of the project, no environment: bundle, public key and ledger."""
    words = ["verify", str(green.drill.folder / "bundle"), "--key", str(lab.home / "keys/evidence.pub"), "--ledger", str(lab.home / "ledger")]
    command = ["unshare", "--net", sys.executable, "-m", "dalp_dr", *words]
    done = subprocess.run(command, env={"PYTHONPATH": str(lab.checkout / "include")}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_key_does_not_verify_it(green: Green, lab: Lab, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    other = tmp_path / "other.pub"
    other.write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    words = ["verify", str(green.drill.folder / "bundle"), "--key", str(other)]
    env = {"PYTHONPATH": str(lab.checkout / "include")}
    done = subprocess.run([sys.executable, "-m", "dalp_dr", *words], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stdout + done.stderr


def test_the_reports_are_there(green: Green) -> None:
    page = (green.drill.folder / "report.html").read_text()
    assert green.drill.drill_id in page
    assert "READY" in page
    assert (green.drill.folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_every_namespace_was_restored_exactly_once(green: Green) -> None:
    runs = green.drill.records("restore_run")
    assert len(runs) == len(NAMESPACES)
    assert [(one["attempt"], one["facts"]["earlier_attempts"]) for one in runs.values()] == [(1, [])] * len(NAMESPACES)
    assert len({one["facts"]["restore"] for one in runs.values()}) == len(NAMESPACES)


def test_nothing_of_the_sandbox_is_left(green: Green, lab: Lab) -> None:
    assert sandboxes(lab, green.drill.drill_id) == {}
    assert restores(lab) <= green.restores_before
    volumes = lab.kubectl("get", "persistentvolumes", "-o", "jsonpath={.items[*].spec.claimRef.namespace}").split()
    assert set(volumes) <= set(NAMESPACES)


def test_nobody_wrote_into_the_archive_but_production(green: Green, lab: Lab) -> None:
    keys = archive(lab)
    assert any("/wals/" in key for key in keys)
    assert foreign(keys, SERVER) == []


def test_production_is_as_it_was(green: Green) -> None:
    assert {key.partition("/")[0] for key in green.before} >= {"Secret", "Deployment", "Service"}
    assert green.after == green.before
