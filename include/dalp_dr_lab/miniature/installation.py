"""What one installation was given once: keys, API keys, tokens, accounts; kept in the lab's miniature.json."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature.services import ethereum

ACCOUNTS = 12
TOKEN_NAMES = (("Municipal bond 2031", "MUNI31", 18), ("Money market fund", "MMF", 6))


@dataclass(frozen=True)
class Installation:
    """Credentials and facts of an installation. `tokens` are addresses, empty before the contracts are deployed."""

    signer_key: str = field(repr=False)
    writer_api_key: str = field(repr=False)
    reader_api_key: str = field(repr=False)
    session_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    support_token: str = field(repr=False)
    redis_password: str = field(repr=False)
    database_reader_password: str = field(repr=False)
    tokens: tuple[str, ...] = ()
    genesis_hash: str = ""

    @property
    def signer_address(self) -> str:
        """The address that signs for the platform."""
        return ethereum.address_of(bytes.fromhex(self.signer_key))


def path(lab: Lab) -> Path:
    """The file, readable by its owner only."""
    return lab.folder / "miniature.json"


def load(lab: Lab) -> Installation:
    """The installation; a new one, with fresh random keys, when there is none."""
    if path(lab).exists():
        content = json.loads(path(lab).read_text())
        return Installation(**{**content, "tokens": tuple(content["tokens"])})
    new = Installation(
        signer_key=secrets.token_hex(32),
        writer_api_key=f"sm_dalp_{secrets.token_hex(20)}",
        reader_api_key=f"sm_dalp_{secrets.token_hex(20)}",
        session_secret=secrets.token_hex(32),
        webhook_secret=secrets.token_hex(24),
        support_token=secrets.token_hex(24),
        redis_password=secrets.token_hex(16),
        database_reader_password=secrets.token_hex(20),
    )
    save(lab, new)
    return new


def save(lab: Lab, installation: Installation) -> None:
    """Replace the file as a whole."""
    new = path(lab).with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(asdict(installation), indent=1) + "\n")
    new.replace(path(lab))


def with_contracts(lab: Lab, tokens: tuple[str, ...], genesis_hash: str) -> Installation:
    """Remember deployed contracts and the chain that they are on."""
    changed = replace(load(lab), tokens=tokens, genesis_hash=genesis_hash)
    save(lab, changed)
    return changed


def account_address(number: int) -> str:
    """The address of account `number` (from 1), the same in every installation."""
    return ethereum.address_of(hashlib.sha256(f"dalp account {number}".encode()).digest())


def accounts_sql(installation: Installation) -> str:
    """Statements that make the accounts: investors, a writer and a reader with API keys."""
    rows = [(f"investor-{n:02d}", account_address(n), secrets.token_hex(32), "read") for n in range(1, ACCOUNTS + 1)]
    for offset, (name, key) in enumerate((("writer", installation.writer_api_key), ("reader", installation.reader_api_key))):
        digest = hashlib.sha256(key.encode()).hexdigest()
        rows.append(
            (
                f"platform-{name}",
                account_address(ACCOUNTS + 1 + offset),
                digest,
                "write" if name == "writer" else "read",
            )
        )
    values = ", ".join(f"('{name}', '{address}', '{digest}', '{scope}')" for name, address, digest, scope in rows)
    return f"insert into account (name, address, api_key_sha256, scope) values {values} on conflict (name) do nothing;"
