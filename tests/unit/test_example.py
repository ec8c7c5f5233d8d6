"""The example bundle in docs is whole and signed by the key beside it."""

from __future__ import annotations

import json
from pathlib import Path

from dalp_dr.evidence import bundle, dsse, manifest

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/example"


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
