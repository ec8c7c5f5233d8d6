"""Exit codes and output of `python -m dalp_dr`, on folders as an auditor would have them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dalp_dr import catalogue
from dalp_dr.cli import command, schema, sign
from dalp_dr.cli.verify import check, text
from dalp_dr.decide import Decision
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import ledger
from dalp_dr.evidence.store import FolderStore
from dalp_dr.evidence.verify import verify
from dalp_dr.model.plan import utc
from synthetic_drill import (
    CATALOGUE,
    ENVIRONMENT,
    KEY,
    OTHER_KEY,
    OWNER_KEY,
    PUBLIC,
    a_plan,
    decided,
    enter,
    private_pem,
    public_pem,
    sealed,
)

PLAN = a_plan()


@pytest.fixture
def auditor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the bundle, the ledger and the public key; the small catalogue stands for the real one."""
    monkeypatch.setattr(catalogue, "KINDS", CATALOGUE["kinds"])
    monkeypatch.setattr(catalogue, "CHECKS", CATALOGUE["checks"])
    whole = decided(sealed(PLAN))
    whole.write(tmp_path / PLAN.drill_id / "bundle")
    enter(FolderStore(tmp_path), whole)
    (tmp_path / "evidence.pub").write_text(public_pem(KEY))
    (tmp_path / "other.pub").write_text(public_pem(OTHER_KEY))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "nowhere"))
    return tmp_path


BUNDLE = f"{PLAN.drill_id}/bundle"


def test_intact_and_ready(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = str(ledger.head(FolderStore(auditor)))
    assert command.main(["verify", BUNDLE, "--key", "evidence.pub", "--ledger", ".", "--head", head]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"READY  {PLAN.drill_id}") and "tail not proven" not in printed and "clock not attested" in printed
    assert "7 of 7 evidence rows" in printed


def test_the_ledger_folder_itself_may_be_given(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["verify", BUNDLE, "--key", "evidence.pub", "--ledger", "ledger"]) == 0
    assert "tail not proven" in capsys.readouterr().out


def test_json(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["verify", BUNDLE, "--key", "evidence.pub", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["decision"] == "READY" and document["intact"] and document["exit_code"] == 0


def test_another_key_is_not_intact(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["verify", BUNDLE, "--key", "other.pub"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NOT INTACT") and any(line.startswith("problem: statement.dsse.json: ") for line in lines)


def test_another_head_is_not_intact(auditor: Path) -> None:
    assert command.main(["verify", BUNDLE, "--key", "evidence.pub", "--ledger", ".", "--head", "0" * 64]) == 3


def test_the_bundle_of_another_drill_in_this_drills_folder(auditor: Path) -> None:
    decided(sealed(a_plan("two"))).write(auditor / "d-20261006-ffffffff" / "bundle")
    assert command.main(["verify", "d-20261006-ffffffff/bundle", "--key", "evidence.pub"]) == 3
    assert command.main(["verify", BUNDLE, "--key", "evidence.pub", "--drill-id", "d-20261006-ffffffff"]) == 3


UNREADABLE = {
    "no bundle": ["verify", "absent", "--key", "evidence.pub"],
    "no key": ["verify", BUNDLE],
    "a key that is none": ["verify", BUNDLE, "--key", "ledger"],
    "no ledger": ["verify", BUNDLE, "--key", "evidence.pub", "--ledger", "absent"],
    "an unknown schema": ["schema", "nothing"],
    "no environment file": ["environment", "check", "absent.yaml"],
}


@pytest.mark.parametrize("words", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable_input(auditor: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(words) == 2
    assert capsys.readouterr().err.count("\n") >= 1


@pytest.mark.parametrize("words", [[], ["verify"], ["nonsense"], ["verify", "a", "--unknown"]])
def test_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        command.main(words)
    assert raised.value.code == 2


def test_report_is_written_beside_the_bundle(auditor: Path) -> None:
    assert command.main(["report", BUNDLE, "--key", "evidence.pub"]) == 0
    assert (auditor / PLAN.drill_id / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert "READY" in (auditor / PLAN.drill_id / "report.html").read_text()
    assert check(auditor / BUNDLE, (PUBLIC,)).exit_code == 0  # the sealed folder is untouched


def test_every_document_has_a_schema() -> None:
    assert {"environment", "plan", "record", "manifest", "sign_off", *catalogue.KINDS} == set(schema.names())
    for name in schema.names():
        assert schema.schema(name)["$schema"] == schema.DIALECT


def test_an_owner_signs_with_an_own_key(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (auditor / "owner.pem").write_text(private_pem(OWNER_KEY))
    unsigned = auditor / "unsigned"
    sealed(PLAN).write(unsigned)
    assert command.main(["sign", "unsigned", "--as", "ines", "--private-key", "owner.pem", "--key", "evidence.pub"]) == 0
    assert "approves" in capsys.readouterr().out
    result = check(unsigned, (PUBLIC,))
    assert result.intact and result.sign_off is not None and result.sign_off.method == "owner_key"
    assert result.decision is Decision.FIX  # no decision was signed yet


def test_who_may_not_sign() -> None:
    bundle = sealed(PLAN)
    result = verify(bundle, [PUBLIC], **CATALOGUE)
    now = utc("2026-10-06T06:20:00Z")
    for signer, key in (("otto", OWNER_KEY), ("ines", OTHER_KEY), ("eve", OWNER_KEY)):
        with pytest.raises(EvidenceError, match="no public key"):
            sign.sign(bundle, result, signer, private_pem(key).encode(), None, now)
    broken = verify(bundle, [], **CATALOGUE)
    with pytest.raises(EvidenceError, match="not intact"):
        sign.sign(bundle, broken, "ines", private_pem(OWNER_KEY).encode(), None, now)


def test_claims_say_why_there_is_none(auditor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (auditor / "nowhere").mkdir()
    assert command.main(["claims", "--drills", ".", "--key", "evidence.pub"]) == 1
    assert "included no route switch" in capsys.readouterr().out
    assert command.main(["claims", "--drills", ".", "--key", "evidence.pub", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["publishable"] is False


def test_hostile_names_do_not_reach_the_terminal(auditor: Path) -> None:
    (auditor / BUNDLE / "evil\x1b[31m\u202e").write_bytes(b"")
    printed = text(check(auditor / BUNDLE, (PUBLIC,)))
    assert "\x1b" not in printed and "\u202e" not in printed and "\\u001b" in printed


ALONE = """
import runpy, sys

def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise SystemExit(f"network: {event} {arguments}")

sys.addaudithook(no_network)
for name in ("airflow", "kubernetes", "boto3", "psycopg2", "web3", "httpx", "jinja2", "typst"):
    sys.modules[name] = None  # importing it fails
sys.argv = ["dalp_dr", "verify", *sys.argv[1:]]
runpy.run_module("dalp_dr", run_name="__main__")
"""


def test_verify_needs_no_airflow_no_client_library_and_no_network(auditor: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, BUNDLE, "--key", "evidence.pub", "--ledger", "ledger"],
        cwd=auditor,
        env={"PYTHONPATH": str(Path(command.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # The real catalogue asks more than the small one answers, so it is not intact; that it was checked is the point.
    assert done.returncode == 3 and done.stdout.startswith("NOT INTACT"), done.stderr


def test_environment_check_names_line_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = Path(__file__).parents[3] / "include" / "environments" / "lab.yaml"
    assert command.main(["environment", "check", str(good), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == ENVIRONMENT.name
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("\nname: lab", "\nnome: lab", 1))
    assert command.main(["environment", "check", str(bad)]) == 2
    assert "bad.yaml:" in capsys.readouterr().err
