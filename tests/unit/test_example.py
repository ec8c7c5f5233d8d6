"""The example bundle in docs is whole and signed by the key beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from dalp_dr.evidence import bundle, canonical, dsse, manifest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/example"


def test_every_file_of_the_example_is_as_it_was_sealed() -> None:
    found = bundle.read(EXAMPLE / "bundle")
    sealed = {path: found.files[path] for path in found.sealed_paths if path not in (bundle.STATEMENT, manifest.NAME)}
    assert manifest.problems(found.read_manifest(), sealed, ()) == []


def test_the_example_is_signed_and_its_summary_speaks_of_it() -> None:
    found = bundle.read(EXAMPLE / "bundle")
    key = dsse.PublicKey.from_pem((EXAMPLE / "evidence.pub").read_bytes())
    opened = dsse.open_envelope(found.files[bundle.STATEMENT], [key])
    assert opened.key_id == key.key_id
    summary = json.loads((EXAMPLE / "summary.json").read_text())
    assert (summary["decision"], summary["bundle_sha256"]) == ("READY", found.manifest_sha256)


def test_an_auditor_needs_nothing_but_the_core(tmp_path: Path) -> None:
    """Bundle, ledger, public key and the core package in an empty folder: no Airflow, no project, no network."""
    shutil.copytree(EXAMPLE / "bundle", tmp_path / "bundle")
    shutil.copytree(EXAMPLE / "ledger", tmp_path / "ledger")
    shutil.copy(EXAMPLE / "evidence.pub", tmp_path)
    shutil.copytree(ROOT / "include" / "dalp_dr", tmp_path / "dalp_dr", ignore=shutil.ignore_patterns("__pycache__"))
    newest = max((tmp_path / "ledger").glob("*.json"))
    head = canonical.sha256(newest.read_bytes())

    def verify(*more: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "dalp_dr", "verify", "bundle", "--key", "evidence.pub", "--ledger", "ledger", *more]
        return subprocess.run(words, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False)

    done = verify("--head", head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("READY") and "7 of 7 evidence rows" in done.stdout and "tail not proven" not in done.stdout
    newest.unlink()
    assert verify("--head", head).returncode == 3
