"""The configuration repository: values, copies of the charts and runbooks in Git; each change is one commit.

A bare repository at git/configuration.git in the lab's folder, as an operator's Git server would hold it, and a working
copy beside it through which the lab commits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dalp_dr_lab import operators
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

CHARTS = Path(__file__).resolve().parent / "chart"
BRANCH = "main"
_IDENTITY = (
    "-c",
    "user.name=platform operator",
    "-c",
    "user.email=operator@dalp.example.com",
    "-c",
    "commit.gpgsign=false",
)


def repository(lab: Lab) -> Path:
    """The bare repository."""
    return lab.folder / "git/configuration.git"


def working_copy(lab: Lab) -> Path:
    """The lab's clone of it."""
    return lab.folder / "git/configuration"


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, free of the caller's own settings; LabError with git's words when it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull)
    command = ["git", "-C", str(folder), "-c", "safe.directory=*", *_IDENTITY, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise LabError(f"git {' '.join(words[:3])} failed in {folder}: {done.stderr.strip()}")
    return done.stdout


def ensure(lab: Lab) -> None:
    """Make repository and working copy when there are none."""
    if not (repository(lab) / "HEAD").exists():
        repository(lab).mkdir(parents=True, exist_ok=True)
        git(repository(lab), "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    if not (working_copy(lab) / ".git").exists():
        shutil.rmtree(working_copy(lab), ignore_errors=True)
        working_copy(lab).mkdir(parents=True)
        git(working_copy(lab), "init", "--quiet", f"--initial-branch={BRANCH}")
        git(working_copy(lab), "remote", "add", "origin", str(repository(lab)))
    if git(repository(lab), "for-each-ref", f"refs/heads/{BRANCH}"):
        git(working_copy(lab), "fetch", "--quiet", "origin")
        git(working_copy(lab), "reset", "--quiet", "--hard", f"origin/{BRANCH}")


def read_values(lab: Lab, release: str) -> dict[str, Any]:
    """The committed values of a release; empty when there are none yet."""
    path = working_copy(lab) / "values" / f"{release}.yaml"
    return dict(yaml.safe_load(path.read_text())) if path.exists() else {}


def commit(lab: Lab, values: Mapping[str, Mapping[str, Any]], message: str) -> str:
    """Write values of releases, charts and runbooks, commit and push what changed; returns the commit of the branch."""
    ensure(lab)
    copy = working_copy(lab)
    (copy / "values").mkdir(exist_ok=True)
    for release, content in values.items():
        (copy / "values" / f"{release}.yaml").write_text(yaml.safe_dump(dict(content), sort_keys=True))
    (copy / "platform.yaml").write_text(yaml.safe_dump(platform(), sort_keys=False))
    _mirror(CHARTS, copy / "charts")
    if (lab.checkout / "include/runbooks").is_dir():
        _mirror(lab.checkout / "include/runbooks", copy / "runbooks")
    git(copy, "add", "--all")
    if git(copy, "status", "--porcelain"):
        git(copy, "commit", "--quiet", "--message", message)
        git(copy, "push", "--quiet", "origin", f"HEAD:{BRANCH}")
    return head(lab)


def platform() -> dict[str, Any]:
    """What a cluster must have before the releases: operators with their versions, and the APIs they serve."""

    def operator(name: str, namespace: str, workload: str, image: str) -> dict[str, str]:
        return {"name": name, "namespace": namespace, "workload": workload, "version": image.rpartition(":")[2]}

    return {
        "operators": [
            operator("Velero", "velero", "deployment/velero", operators.VELERO_IMAGE),
            operator("Velero node agent", "velero", "daemonset/node-agent", operators.VELERO_IMAGE),
            operator("CloudNativePG", "cnpg-system", "deployment/cnpg-controller-manager", operators.CNPG_IMAGE),
            operator("Barman Cloud plugin", "cnpg-system", "deployment/barman-cloud", operators.PLUGIN_IMAGE),
        ],
        "apis": [
            "restores.velero.io/v1",
            "schedules.velero.io/v1",
            "podvolumerestores.velero.io/v1",
            "clusters.postgresql.cnpg.io/v1",
            "scheduledbackups.postgresql.cnpg.io/v1",
            "objectstores.barmancloud.cnpg.io/v1",
        ],
    }


def head(lab: Lab) -> str:
    """The commit of the branch in the bare repository."""
    return git(repository(lab), "rev-parse", f"refs/heads/{BRANCH}").strip()


def _mirror(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
