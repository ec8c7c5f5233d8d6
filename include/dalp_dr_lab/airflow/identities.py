"""The drill's Kubernetes identities in the lab: ServiceAccounts with the project's RBAC, kubeconfigs with tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import yaml

from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.airflow.settings import write_private
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

NAMESPACE = "dalp-dr"
RECOVERY_ENVIRONMENT = "lab-annual"
TOKEN_SECONDS = 24 * 3600
RENEW_AFTER_SECONDS = 12 * 3600


def apply_rights(lab: Lab, environment: str = "lab") -> None:
    """Apply include/rbac/<environment>.yaml: namespace, ServiceAccounts and exactly the rights a production install gives them."""
    manifest = lab.checkout / "include" / "rbac" / f"{environment}.yaml"
    if not manifest.exists():
        raise LabError(f"include/rbac/{manifest.name} is missing, so the drill would have no identity. Restore it from Git.")
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(manifest))


def write_recovery_kubeconfig(lab: Lab, places: Places) -> None:
    """Give the drill its identity on the second cluster; Airflow's connection names the file, which may come later than Airflow."""
    there = lab.on_recovery()
    apply_rights(there, RECOVERY_ENVIRONMENT)
    write_private(places.recovery_kubeconfig, kubeconfig(there, places, "drill", kept_as="drill-recovery"))


def kubeconfig(lab: Lab, places: Places, account: str, kept_as: str = "") -> dict[str, Any]:
    """A kubeconfig for one ServiceAccount of namespace dalp-dr; its token is kept and renewed after half its life.

    `kept_as` tells accounts of one name on two clusters apart.
    """
    admin = yaml.safe_load(Path(lab.kubeconfig).read_text())
    cluster = _current_cluster(admin)
    uid = lab.kubectl("get", "serviceaccount", account, "-n", NAMESPACE, "-o", "jsonpath={.metadata.uid}")
    known: dict[str, Any] = json.loads(places.tokens.read_text()) if places.tokens.exists() else {}
    entry = known.get(kept_as or account)
    if not entry or entry.get("uid") != uid or time.time() - entry["issued_at"] > RENEW_AFTER_SECONDS:
        token = lab.kubectl("create", "token", account, "-n", NAMESPACE, f"--duration={TOKEN_SECONDS}s").strip()
        entry = {"token": token, "uid": uid, "issued_at": int(time.time())}
        write_private(places.tokens, {**known, kept_as or account: entry})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": account,
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": account, "user": {"token": entry["token"]}}],
        "contexts": [{"name": account, "context": {"cluster": "lab", "user": account, "namespace": NAMESPACE}}],
    }


def _current_cluster(admin: dict[str, Any]) -> dict[str, Any]:
    context = next(one["context"] for one in admin["contexts"] if one["name"] == admin["current-context"])
    found: dict[str, Any] = next(one["cluster"] for one in admin["clusters"] if one["name"] == context["cluster"])
    if "certificate-authority" in found:
        raise LabError("The kubeconfig names its certificate authority by file. Flatten it: kubectl config view --flatten.")
    return found
