"""bootstrap.py runs on the system's Python alone: what it answers before anything is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dalp_dr_lab.setup import environment, phases

BOOTSTRAP = phases.BOOTSTRAP


def _run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    isolated = [sys.executable, "-I", "-S", str(BOOTSTRAP)]  # without site-packages, as on a bare machine
    return subprocess.run([*isolated, *words], capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_the_environment_is_named_after_the_lock(tmp_path: Path) -> None:
    done = _run("venv", DALP_DR_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == tmp_path
    assert Path(done.stdout.strip()).name == environment.folder().name


def test_an_unknown_command_prints_the_usage() -> None:
    done = _run("instal")
    assert done.returncode == 2
    assert "bootstrap.py setup" in done.stdout


def test_a_failing_step_ends_with_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    done = _run(
        "setup",
        "--fast",
        DALP_DR_CACHE=str(tmp_path / "venvs"),
        PIP_INDEX_URL="http://127.0.0.1:1",
        PIP_RETRIES="0",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS="",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Python packages failed" in done.stderr
    assert "run the same command again" in done.stderr


def test_a_finished_environment_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / environment.folder().name
    target.mkdir()
    (target / "complete").touch()
    done = _run("setup", "--fast", DALP_DR_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("set-up complete")
    assert list(target.iterdir()) == [target / "complete"]


@pytest.mark.parametrize("text", ["-r constraints.txt", "changed"], ids=["the same", "another"])
def test_another_lock_means_another_environment(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.state, "checkout", lambda: tmp_path)
    (tmp_path / "constraints.txt").write_text("-r constraints.txt")
    before = environment.folder()
    (tmp_path / "constraints.txt").write_text(text)
    assert (environment.folder() == before) == (text == "-r constraints.txt")
