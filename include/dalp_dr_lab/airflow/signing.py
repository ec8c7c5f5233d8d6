"""The evidence signing key of the lab: an ed25519 pair, made once by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess

from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.errors import LabError


def private_key(places: Places) -> str:
    """The private key as PEM (PKCS 8), made once; the public key lies beside it and where `verify` looks."""
    private, public = places.keys / "evidence.pem", places.keys / "evidence.pub"
    places.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not private.exists():
        unfinished = private.with_suffix(".new")
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        _openssl("genpkey", "-algorithm", "ed25519", "-out", str(unfinished))
        unfinished.replace(private)
    _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    places.public_key.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(public, places.public_key)
    return private.read_text()


def _openssl(*words: str) -> None:
    try:
        done = subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        raise LabError("There is no openssl to make the signing key with. Run `make setup`.") from None
    if done.returncode:
        raise LabError(f"openssl {words[0]} failed: {done.stderr.strip()} Look at the folder it should write to.")
