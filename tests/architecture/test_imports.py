"""Who may import whom: the contracts of pyproject.toml, and what import-linter cannot see."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAGS = sorted((ROOT / "dags").glob("*.py"))
ALLOWED_IN_DAGS = {"__future__", "airflow.sdk", "dalp_dr_airflow"}
PLUGIN_FILES = sorted(p for p in (ROOT / "plugins").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file())


def imports(source: str) -> set[str]:
    """Every module that a source text imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def strangers(source: str) -> set[str]:
    """What a DAG file imports beside what it may."""
    return {m for m in imports(source) if not any(m == allowed or m.startswith(f"{allowed}.") for allowed in ALLOWED_IN_DAGS)}


def test_the_contracts_hold() -> None:
    path = os.pathsep.join([str(ROOT / "include"), str(ROOT / "plugins")])
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("file", DAGS, ids=lambda p: p.name)
def test_a_dag_file_imports_only_airflow_and_our_side_of_it(file: Path) -> None:
    assert strangers(file.read_text()) == set()


def test_a_dag_file_that_reaches_for_the_core_is_found() -> None:
    assert strangers("from dalp_dr import planning\nimport os\nfrom airflow.models import dagrun\nfrom airflow.sdk import DAG") == {
        "dalp_dr",
        "os",
        "airflow.models",
    }


@pytest.mark.parametrize("name", ["dalp_dr.decide", "dalp_dr.catalogue", "dalp_dr.evidence.verify", "dalp_dr.cli.command"])
def test_the_core_loads_without_airflow_and_clients(name: str) -> None:
    code = (
        f"import sys, {name}; "
        "clients = {'airflow', 'kubernetes', 'boto3', 'botocore', 'web3', 'requests', 'httpx'}; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & clients))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "include", capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_airflow_executes_one_plugin_file_only() -> None:
    """Airflow runs every file below plugins/ under its bare stem, unless the ignore file names its folder."""
    ignored = set((ROOT / "plugins" / ".airflowignore").read_text().split())
    assert {p.name for p in PLUGIN_FILES if f"{p.name}/" not in ignored} == {"dalp_dr_plugin.py"}


def test_the_signing_key_is_read_by_the_tasks_that_sign_and_by_no_other() -> None:
    operators = ROOT / "plugins" / "dalp_dr_airflow"
    readers = {
        file.relative_to(operators).as_posix()
        for file in operators.rglob("*.py")
        if file.name != "connections.py" and {"signing_key", "evidence_signing"} & set(re.findall(r"\w+", file.read_text()))
    }
    assert readers == {f"operators/{name}.py" for name in ("abort", "claims", "keys", "plan", "seal")}
