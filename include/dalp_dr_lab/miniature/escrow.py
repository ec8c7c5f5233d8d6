"""The escrow: production's Secrets, sealed for the custodian's certificate, in a bucket of their own.

What a real deployment does with `kubectl get secrets -o json | openssl cms -encrypt`: production holds the certificate and can
only seal; the key that opens it lies with the custodian, here in Airflow's connection.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from dalp_dr_lab import state
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, NAMESPACES, Lab

KEY = f"{BACKUP_PREFIX}/secrets.cms"
CERTIFICATE_DAYS = 3650
OTHERS = ("cnpg.io/cluster", "owner")  # labels of Secrets that CloudNativePG and Helm make themselves


def key_pair(lab: Lab) -> tuple[str, str]:
    """(private key, certificate) of the custodian in PEM; made once."""
    folder = lab.folder / "keys"
    key, certificate = folder / "escrow.key", folder / "escrow.crt"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not certificate.exists():
        os.close(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        subject = ("-subj", "/CN=escrow custodian", "-days", str(CERTIFICATE_DAYS))
        new = certificate.with_suffix(".new")
        _openssl(["req", "-x509", "-newkey", "rsa:3072", "-nodes", *subject, "-keyout", str(key), "-out", str(new)])
        new.replace(certificate)
    return key.read_text(), certificate.read_text()


def put(lab: Lab) -> None:
    """Seal all Secrets that people or a secret manager made, and put them into the escrow where they have changed."""
    key_pair(lab)
    found = [
        {"apiVersion": "v1", "kind": "Secret", "type": item["type"], "data": item.get("data", {}), "metadata": _identity(item)}
        for namespace in NAMESPACES
        for item in json.loads(lab.kubectl("-n", namespace, "get", "secrets", "-o", "json"))["items"]
        if not set(OTHERS) & set(item["metadata"].get("labels", {}))
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    if state.read(lab.folder)["notes"].get("escrow") == digest and _there(lab):
        return
    lab.s3("admin").put_object(Bucket=BUCKETS["escrow"], Key=KEY, Body=sealed(text, lab.folder / "keys/escrow.crt"))
    with state.change(lab.folder) as now:
        now["notes"]["escrow"] = digest


def sealed(text: bytes, certificate: Path) -> bytes:
    """CMS enveloped data (RFC 5652), AES-256, DER, for the owner of a certificate."""
    return _openssl(["cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", str(certificate)], text)


def _there(lab: Lab) -> bool:
    return bool(lab.s3("admin").list_objects_v2(Bucket=BUCKETS["escrow"], Prefix=KEY).get("KeyCount"))


def _identity(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    return {"name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata.get("labels", {})}


def _openssl(words: list[str], given: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise LabError(f"openssl {words[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
