"""The escrow as openssl seals it: it opens with its key alone, and what it lacks or what is old in it is named."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.cluster_loss import escrow
from dalp_dr.cluster_loss.escrow import EscrowFacts, Held
from dalp_dr.errors import FactError, InputError
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

LOST = replace(PLAN, source_lost=True)
NEEDED = (Held("dalp", "dalp-signer", ("SIGNER_PRIVATE_KEY",)), Held("dalp", "dalp-tls", ()))
WHOLE = EscrowFacts(
    "dalp-escrow", "prod/secrets.cms", "v1", "2026-10-05T00:00:00Z", 900, NEEDED, (*NEEDED, Held("dalp", "more", ("a",))), 1, ()
)
COMPLETE = {
    "whole": (WHOLE, Verdict.PASS),
    "a Secret is missing": (replace(WHOLE, held=NEEDED[:1]), Verdict.FAIL),
    "a key is missing": (replace(WHOLE, held=(replace(NEEDED[0], keys=("OTHER",)), NEEDED[1])), Verdict.FAIL),
    "nothing is needed": (replace(WHOLE, needed=()), Verdict.INCONCLUSIVE),
}
CURRENT = {
    "the backups' values": (WHOLE, Verdict.PASS),
    "a rotated Secret": (replace(WHOLE, differing=("dalp/dalp-signer",)), Verdict.FAIL),
    "younger than the incident": (replace(WHOLE, written_at="2026-10-06T07:00:00Z"), Verdict.FAIL),
    "nothing to compare": (replace(WHOLE, compared=0), Verdict.INCONCLUSIVE),
}


@pytest.mark.parametrize("case", COMPLETE)
def test_complete(case: str) -> None:
    facts, verdict = COMPLETE[case]
    assert escrow.escrow_complete(facts, LOST).verdict is verdict


@pytest.mark.parametrize("case", CURRENT)
def test_current(case: str) -> None:
    facts, verdict = CURRENT[case]
    assert escrow.escrow_current(facts, LOST).verdict is verdict


def a_secret(name: str, **data: str) -> dict[str, Any]:
    values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "dalp"}, "data": values}


@pytest.fixture(scope="module")
def custodian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custodian")
    for name in ("mine", "other"):
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return folder


def sealed(custodian: Path, text: bytes) -> bytes:
    words = ["openssl", "cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", "mine.crt"]
    return subprocess.run(words, cwd=custodian, input=text, check=True, capture_output=True).stdout


def pair(custodian: Path, name: str = "mine") -> tuple[str, str]:
    return (custodian / f"{name}.crt").read_text(), (custodian / f"{name}.key").read_text()


def test_what_openssl_sealed_opens_with_the_custodians_key(custodian: Path) -> None:
    items = [a_secret("dalp-signer", SIGNER_PRIVATE_KEY="s3cret")]
    data = sealed(custodian, json.dumps({"kind": "List", "items": items}).encode())
    assert b"s3cret" not in data and b"dalp-signer" not in data
    assert escrow.opened(data, *pair(custodian)) == items


def test_another_key_does_not_open_it(custodian: Path) -> None:
    data = sealed(custodian, b'{"items": []}')
    with pytest.raises(FactError, match="cannot be opened"):
        escrow.opened(data, *pair(custodian, "other"))


@pytest.mark.parametrize("damage", [lambda d: d[:-40], lambda d: b"", lambda d: d[:-20] + bytes(20)], ids=["cut", "empty", "overwritten"])
def test_a_damaged_one_does_not_open(custodian: Path, damage: Any) -> None:
    data = sealed(custodian, json.dumps({"items": [a_secret("x", y="z")]}).encode())
    with pytest.raises(FactError, match="cannot be opened"):
        escrow.opened(damage(data), *pair(custodian))


@pytest.mark.parametrize("text", [b"[]", b"not JSON", b'{"items": [{"kind": "Secret"}]}'])
def test_something_else_inside_is_no_list_of_secrets(custodian: Path, text: bytes) -> None:
    with pytest.raises(FactError, match="holds no list"):
        escrow.opened(sealed(custodian, text), *pair(custodian))


def test_a_key_that_is_none_is_the_connections_fault(custodian: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        escrow.opened(b"", pair(custodian)[0], "no key")


def test_the_rendered_releases_say_which_secrets_and_keys_they_need() -> None:
    pod = {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {
                "envFrom": [{"secretRef": {"name": "whole"}}],
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "single", "key": "a"}}}],
            }
        ],
        "volumes": [{"secret": {"secretName": "mounted"}}],
    }
    manifests = [
        {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {"spec": pod}}},
        {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"tls": [{"secretName": "tls"}]}},
        {"kind": "ObjectStore", "metadata": {"name": "o"}, "spec": {"s3Credentials": {"accessKeyId": {"name": "write", "key": "ID"}}}},
        {"kind": "CronJob", "metadata": {"name": "c"}, "spec": {"env": [{"secretKeyRef": {"name": "chart-made", "key": "x"}}]}},
        {"kind": "Job", "metadata": {"name": "j"}, "spec": {"env": [{"secretKeyRef": {"name": "dalp-pg-app", "key": "uri"}}]}},
        {"kind": "Secret", "metadata": {"name": "chart-made"}},
    ]
    found = escrow.needed("dalp", manifests, ["dalp-pg-app"])
    assert {held.name: held.keys for held in found} == {
        "pull": (),
        "whole": (),
        "single": ("a",),
        "mounted": (),
        "tls": (),
        "write": ("ID",),
    }


def test_only_what_both_hold_is_compared() -> None:
    kept = [a_secret("same", a="1"), a_secret("rotated", a="old"), a_secret("backup only", a="1")]
    assert escrow.compared([a_secret("same", a="1"), a_secret("rotated", a="new"), a_secret("escrow only")], kept) == (2, ("dalp/rotated",))


def test_facts_hold_names_and_never_values() -> None:
    assert escrow.held([a_secret("b", y="1", x="2"), a_secret("a")]) == (Held("dalp", "a", ()), Held("dalp", "b", ("x", "y")))
