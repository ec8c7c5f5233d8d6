"""A planted canary appears nowhere; what is no secret stays readable."""

from __future__ import annotations

import base64
import json

import pytest

from dalp_dr.evidence.redaction import MASK, redact_answer, redact_text

CANARY = "c4nary+Secret/42"
B64 = base64.b64encode(CANARY.encode()).decode()

KNOWN = {
    "plain": f"failed with {CANARY} at the end",
    "base64": f"data: {B64}",
    "base64 inside longer text": base64.b64encode(f"user:{CANARY}".encode()).decode()
    + " "
    + base64.b64encode(f"u:{CANARY}:and more".encode()).decode(),
    "URL-quoted": "http://x/?q=c4nary%2BSecret%2F42",
    "inside JSON": json.dumps({"a": CANARY}),
}


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN.keys())
def test_known_values_are_masked_in_every_form(text: str) -> None:
    masked = redact_text(text, [CANARY])
    assert CANARY not in masked and "c4nary%2BSecret" not in masked and MASK in masked


def test_both_places_inside_longer_base64_are_masked() -> None:
    assert redact_text(KNOWN["base64 inside longer text"], [CANARY]).count(MASK) == 2


LOOKS = {
    "a DSN": ("postgresql://dalp:hunter2/x@db:5432/dalp failed", "hunter2", "dalp"),
    "a DSN with an at sign": ("postgresql://dalp:p@ss:w@rd@db/dalp", "p@ss", "db/dalp"),
    "libpq words": ("host=db user=dalp password='hunter 2' dbname=dalp", "hunter", "dbname=dalp"),
    "Authorization": ("GET /x\r\nAuthorization: Basic ZGFscDpodW50ZXIy\r\nHost: y", "ZGFscDpodW50ZXIy", "Host: y"),
    "a bearer token": ("used Bearer abcdefgh12345678", "abcdefgh12345678", "used"),
    "an Authorization header in JSON": ('{"Authorization": "Bearer s3cr3t-t0ken-value"}', "s3cr3t", "Authorization"),
    "a private key": ("x\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\ny", "MHcCAQEE", "y"),
    "half a private key": ("-----BEGIN PRIVATE KEY-----\nMC4CAQAw", "MC4CAQAw", ""),
    "a JSON Web Token": ("token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM", "eyJzdWIiOiIx", "token"),
    "an API key header": ('{"X-Api-Key": "k-123456"}', "k-123456", "X-Api-Key"),
    "a cloud key": ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI", "aws_secret_access_key"),
    "a cloud key id": ("AKIAIOSFODNN7EXAMPLE tried", "AKIAIOSFODNN7EXAMPLE", "tried"),
    "a presigned address": ("https://s3/b/k?X-Amz-Signature=deadbeef01&x=1", "deadbeef01", "x=1"),
    "a key in an RPC address": (
        "https://mainnet.example/v3/0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d",
        "0a1b2c3d4e5f",
        "mainnet.example",
    ),
    "an environment variable": ("PGPASSWORD=hunter2 psql", "hunter2", "psql"),
    "escaped JSON": ('"{\\"password\\": \\"hunter2\\"}"', "hunter2", "password"),
}


@pytest.mark.parametrize(("text", "secret", "stays"), LOOKS.values(), ids=LOOKS.keys())
def test_what_looks_like_a_secret_is_masked(text: str, secret: str, stays: str) -> None:
    masked = redact_text(text)
    assert secret not in masked and stays in masked


HARMLESS = (
    "token 0xabcdefabcdefabcdefabcdefabcdefabcdefabcd holder 0x12: one wei",
    "secret dalp-signer is missing",
    "backup app-20261006020000 Completed at 2026-10-06T02:03:00Z",
    '{"secretName": "dalp-signer", "secretKeyRef": {"key": "a"}}',
    "http://10.250.255.1:8333/velero/prod/backups/app-20261006020000/velero-backup.json",
    "0/5000028 on timeline 2",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "dalp-signer",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"key": B64}})},
    },
    "data": {"key": B64},
    "stringData": {"other": CANARY},
}


def test_secrets_of_kubernetes_keep_digests_only() -> None:
    masked = json.loads(redact_answer(SECRET))
    text = json.dumps(masked)
    assert B64 not in text and CANARY not in text
    assert masked["metadata"]["name"] == "dalp-signer" and masked["data"]["key"].startswith("sha256:")
    assert json.loads(redact_answer(SECRET, salt="d-1"))["data"] != masked["data"]


def test_secrets_in_lists_have_no_kind_of_their_own() -> None:
    bare = {k: v for k, v in SECRET.items() if k not in ("kind", "apiVersion")}
    text = redact_answer({"kind": "SecretList", "items": [bare]}).decode()
    assert B64 not in text and CANARY not in text and "dalp-signer" in text


def test_environment_variables_of_pods() -> None:
    pod = {
        "kind": "Pod",
        "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": CANARY}, {"name": "DB_HOST", "value": "pg"}]}]},
    }
    text = redact_answer(pod).decode()
    assert CANARY not in text and '"pg"' in text


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xfe password=hunter2",
        "password=hunter2",
        ["password=hunter2"],
        b'{"password": "hunter2"',
        b'{"nested": [{"password": "hunter2"}]}',
    ],
)
def test_any_kind_of_answer(answer: bytes | str | list[str]) -> None:
    assert b"hunter2" not in redact_answer(answer)


def test_redacting_twice_changes_nothing() -> None:
    once = redact_answer({"kind": "Pod", "log": LOOKS["a DSN"][0] + KNOWN["plain"]}, [CANARY])
    assert redact_answer(once, [CANARY]) == once


@pytest.mark.parametrize("text", ["Ask {}.", "({})", "{}, then", "<{}>", "{}/", "wss{}"])
def test_a_key_in_a_url_is_masked_whatever_follows_it(text: str) -> None:
    url = "://rpc.example/v3/abcdef0123456789abcdef01"
    said = redact_text(text.format(url if text.startswith("wss") else f"https{url}"))
    assert "abcdef0123456789" not in said and "rpc.example" in said
