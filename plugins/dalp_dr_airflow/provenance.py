"""Where this run comes from: commit of the project, versions of everything that took part."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from dalp_dr.model.plan import DrillPlan
from dalp_dr.timing.provenance import ProvenanceFacts
from dalp_dr_airflow.audit import code_digest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("apache-airflow", "web3", "kubernetes", "boto3", "msgspec", "pydantic", "cryptography", "rfc8785")


def facts(plan: DrillPlan, reason: str, plan_sha256: str) -> ProvenanceFacts:
    """Commit, versions, person, reason and targets of a run."""
    found, dirty = commit()
    targets = plan.environment.targets
    return ProvenanceFacts(
        commit=found,
        dirty=dirty,
        versions=versions(),
        started_by=plan.started_by,
        reason=reason,
        targets_version=targets.version,
        targets_approved_by=targets.approved_by,
        targets_approved_on=targets.approved_on,
        plan_sha256=plan_sha256,
        code_sha256=code_digest(),
    )


def commit() -> tuple[str, bool]:
    """Commit of the project and whether files differ from it; an installation without Git says so."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "not a Git checkout", True


def versions() -> dict[str, str]:
    """Python, Airflow with every provider that is installed, and what talks to the outside."""
    providers = {d.name: d.version for d in metadata.distributions() if (d.name or "").startswith("apache-airflow-providers-")}
    named = {package: metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), **named, **providers}
