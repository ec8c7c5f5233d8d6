"""Plan and preflight without a drill: everything is asked, nothing is made, and what is missing is never green."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.cli import airflow_side
from dalp_dr.cli.command import main as command
from dalp_dr.errors import FactError
from dalp_dr.model import environment_file
from dalp_dr_airflow import live_check
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.live_check import Rehearsal

LAB = Path(__file__).parents[2] / "include" / "environments" / "lab.yaml"


class Silent:
    """An outside that answers nothing, and stands still."""

    def __getattr__(self, name: str) -> Any:
        def ask(*words: Any, **named: Any) -> Any:
            raise FactError(f"{name} was not answered", "Look at the connection.")

        return ask


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for hook in ("source", "sandbox", "velero", "backup_store", "catalog", "objects", "configuration"):
        monkeypatch.setattr(Drill, hook, Silent())


def test_an_outside_that_does_not_answer_is_named_part_by_part(silent: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert live_check.main([str(LAB), "--json"]) == live_check.TO_FIX
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] != "pass"
    asked = {a["check"] for a in said["answers"]}
    assert {"addresses", "database recovery point", "backups", "configuration commit", "versioning_enabled", "wal_without_gaps"} <= asked
    assert [a for a in said["answers"] if not a["next_step"]] == []


def test_a_rehearsal_stores_nothing(silent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Any) -> Any:
        raise AssertionError("the evidence store was touched")

    monkeypatch.setattr(Drill, "evidence", property(forbidden))
    assert Rehearsal(environment_file.read(LAB)).answers()


def test_what_passes_is_counted_and_what_fails_says_how_to_fix_it(silent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from dalp_dr.object_storage.protection import BucketProtection

    found = [Gathered("bucket_protection", BucketProtection("dalp-documents", ("uploads/",), v, ()), f"b-{v}") for v in ("Enabled", None)]
    monkeypatch.setattr(Rehearsal, "gathered", lambda self: found)
    answers = Rehearsal(environment_file.read(LAB)).answers()
    verdicts = {(a.check, a.subject): a.verdict for a in answers if a.check == "versioning_enabled"}
    assert verdicts == {("versioning_enabled", "b-Enabled"): "pass", ("versioning_enabled", "b-None"): "fail"}
    text = live_check.text({"answers": [a.__dict__ for a in answers], "costs": ["Needs: 1 pod"]})
    assert any(line.startswith("FAIL versioning_enabled (b-None)") for line in text)
    assert "fix: Switch versioning on" in "\n".join(text)
    assert text[-1].startswith("Nothing was made")


def test_the_command_hands_the_file_to_airflow_s_side(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Any] = []
    monkeypatch.setattr(airflow_side, "run", lambda module, words: handed.append((module, words)) or 1)
    assert command(["environment", "check", str(LAB), "--live", "--json"]) == 1
    assert handed == [("dalp_dr_airflow.live_check", [str(LAB), "--json"])]


def test_a_file_that_cannot_be_read_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert live_check.main([str(tmp_path / "none.yaml")]) == live_check.NOT_ASKED
    assert "cannot be read" in capsys.readouterr().err


def test_logs_of_libraries_do_not_stand_in_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    with live_check.logs_aside():
        os.write(1, b"a library speaks\n")
    print("the answer")
    told = capfd.readouterr()
    assert (told.out, told.err) == ("the answer\n", "a library speaks\n")
