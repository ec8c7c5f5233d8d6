"""Where the lab's Airflow keeps its things."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The folders of one lab Airflow: the checkout it runs and the state it may write."""

    checkout: Path
    state: Path  # .dalp-dr, or wherever DALP_DR_HOME points

    @property
    def lab(self) -> Path:
        """State of the lab; everything below belongs to the lab and goes with it."""
        return self.state / "lab"

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.lab / "airflow"

    @property
    def database(self) -> Path:
        """Data folder of the metadata PostgreSQL."""
        return self.home / "postgresql"

    @property
    def users(self) -> Path:
        """Passwords of the web users, `{user: password}`, mode 600."""
        return self.home / "users.json"

    @property
    def secrets(self) -> Path:
        """Ports and generated secrets of this Airflow, mode 600."""
        return self.home / "secrets.json"

    @property
    def tokens(self) -> Path:
        """Kubernetes tokens of the drill's identities with their time of issue, mode 600."""
        return self.home / "tokens.json"

    @property
    def keys(self) -> Path:
        """The evidence signing key pair."""
        return self.lab / "keys"

    @property
    def public_key(self) -> Path:
        """The copy of the public key that `python -m dalp_dr verify` looks for."""
        return self.state / "keys" / "evidence.pub"

    @property
    def logs(self) -> Path:
        """One log file a component."""
        return self.lab / "logs"

    @property
    def socket(self) -> Path:
        """Folder of PostgreSQL's Unix socket: short, because a socket path holds 107 bytes at most."""
        return Path("/run") / f"dalp-dr-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    def log(self, component: str) -> Path:
        """The log file of one component."""
        return self.logs / f"airflow-{component}.log"
