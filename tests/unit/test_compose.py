"""docker-compose.yaml keeps to the Compose Specification, and to what a recovery tool owes its secrets and its code."""

from __future__ import annotations

import re
from typing import Any

import compose_spec
import pytest
import yaml

from compose_file import ROOT, SOURCE, example, filled, merged

DOCUMENT = merged()
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer")
COMPONENTS = AIRFLOW[1:]
CODE = {"/opt/airflow/dags", "/opt/airflow/plugins", "/opt/airflow/include"}


def valid(document: dict[str, Any]) -> None:
    """Raises ValueError unless the document keeps to the Compose Specification."""
    text = yaml.safe_dump({k: v for k, v in document.items() if not k.startswith("x-")})
    compose_spec.PyCompose.from_yaml(text).validate()


def test_it_keeps_to_the_specification() -> None:
    valid(DOCUMENT)


@pytest.mark.parametrize(
    ("service", "changed"),
    [
        ("scheduler", {"helthcheck": {}}),
        ("scheduler", {"depends_on": {"init": {"condition": "service_done"}}}),
        ("scheduler", {"secrets": ["nobody_knows"]}),
        ("api-server", {"ports": ["not a port"]}),
    ],
    ids=["misspelt key", "unknown condition", "undefined secret", "bad port"],
)
def test_a_broken_file_is_found(service: str, changed: dict[str, Any]) -> None:
    services = {**SERVICES, service: {**SERVICES[service], **changed}}
    with pytest.raises(ValueError, match=r"\w"):
        valid({**DOCUMENT, "services": services})


def test_every_variable_has_an_example_or_a_default() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", SOURCE.read_text()))
    assert used == set(example())


def test_a_missing_variable_says_what_to_do() -> None:
    with pytest.raises(KeyError, match=r"copy \.env\.example"):
        filled(SOURCE.read_text(), {})


def test_airflow_s_four_components_run_after_the_migration() -> None:
    assert set(AIRFLOW) <= set(SERVICES)
    assert [SERVICES[name]["command"] for name in AIRFLOW] == [["db", "migrate"], *([name] for name in COMPONENTS)]
    conditions = [SERVICES[name]["depends_on"]["init"]["condition"] for name in COMPONENTS]
    assert conditions == ["service_completed_successfully"] * 4


@pytest.mark.parametrize("name", [*COMPONENTS, "postgres"])
def test_what_runs_for_long_tells_its_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", AIRFLOW)
def test_code_is_mounted_read_only_and_nobody_is_root(name: str) -> None:
    service = SERVICES[name]
    mounts = {target: mode for _, target, mode in (f"{v}:rw".split(":")[:3] for v in service["volumes"])}
    assert {mounts[folder] for folder in CODE} == {"ro"}
    assert service["user"] == "50000:0"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_files(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret = re.compile(r"PASSWORD|SECRET|KEY|CONN\b|TOKEN")
    plain = {k for k in environment if secret.search(k) and not k.endswith(("_CMD", "_FILE", "_BACKEND", "_KWARGS"))}
    assert plain - {"AIRFLOW__SECRETS__BACKEND"} == set()
    read = {k: v for k, v in environment.items() if k.endswith("_CMD") or k == "POSTGRES_PASSWORD_FILE"}
    assert [k for k, v in read.items() if "/run/secrets/" not in v] == []


def test_every_secret_is_explained() -> None:
    text = (ROOT / ".env.example").read_text()
    files = [secret["file"].rsplit("/", 1)[1] for secret in DOCUMENT["secrets"].values()]
    assert files
    assert [name for name in files if name not in text] == []


def test_the_page_is_not_open_to_the_network() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_image_is_airflow_s_with_our_pins() -> None:
    text = (ROOT / "Dockerfile").read_text()
    pinned = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    assert f"FROM docker.io/apache/airflow:{pinned[1]}" in text
    assert "--require-hashes" in text
    assert [line for line in text.splitlines() if line.startswith("FROM") and not re.search(r":\d+\.\d+", line)] == []
    assert text.index("USER airflow") > text.index("USER root")
