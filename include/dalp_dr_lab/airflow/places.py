"""Where the lab's Airflow keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one lab Airflow: the checkout it runs and the state folder it may write."""

    checkout: Path
    state: Path

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME; like all of state/lab it goes with the lab."""
        return self.state / "lab" / "airflow"

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
        """Generated secrets of this Airflow, mode 600."""
        return self.home / "secrets.json"

    @property
    def tokens(self) -> Path:
        """Kubernetes tokens of the drill's identities and when they were issued, mode 600."""
        return self.home / "tokens.json"

    @property
    def recovery_kubeconfig(self) -> Path:
        """The drill's kubeconfig for the second cluster, mode 600; there only while that cluster is."""
        return self.home / "recovery.kubeconfig"

    @property
    def migrated(self) -> Path:
        """The Airflow version whose tables the metadata database has."""
        return self.home / "migrated"

    @property
    def running(self) -> Path:
        """What the running components have read: a digest of settings and code, and since when DAGs are parsed."""
        return self.home / "components.json"

    @property
    def keys(self) -> Path:
        """Folder of the evidence signing key pair."""
        return self.state / "lab" / "keys"

    @property
    def public_key(self) -> Path:
        """The copy of the public key that `python -m dalp_dr verify` looks for."""
        return self.state / "keys" / "evidence.pub"

    def log(self, component: str) -> Path:
        """The log file of one component."""
        return self.state / "lab" / "logs" / f"{component}.log"
