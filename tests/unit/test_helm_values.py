"""deploy/helm-values.yaml says for the official Airflow chart what docker-compose.yaml says, and holds no secret.

The chart itself is not at hand here: its own schema checks the file at `helm template` and `helm install`.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
import yaml

from compose_file import ROOT, merged

TEXT = (ROOT / "deploy" / "helm-values.yaml").read_text()
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
COMPONENT = {"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}}}
NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
SCHEMA = {  # the shape that this project relies on; names as in the chart's parameters reference
    "type": "object",
    "additionalProperties": False,
    "required": ["airflowVersion", "executor", "env", "volumes", "volumeMounts", "securityContexts", "data", "dags"],
    "properties": {
        "airflowVersion": {"type": "string", "pattern": r"^3\.\d+\.\d+$"},
        "defaultAirflowRepository": {"type": "string"},
        "defaultAirflowTag": {"type": "string"},
        "executor": {"const": "LocalExecutor"},
        "dags": {"type": "object", "required": ["gitSync"]},
        "data": {"type": "object", "required": ["metadataSecretName"], "additionalProperties": {"type": "string"}},
        **{name: {"type": "string"} for name in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")},
        **{name: {"type": "object"} for name in ("postgresql", "redis", "statsd", "createUserJob", "securityContexts", "workers")},
        "env": {"type": "array", "items": {**NAMED, "required": ["name", "value"]}},
        "config": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}},
        "volumes": {"type": "array", "items": NAMED},
        "volumeMounts": {"type": "array", "items": {**NAMED, "required": ["name", "mountPath"]}},
        **dict.fromkeys(("scheduler", "apiServer", "dagProcessor", "triggerer"), COMPONENT),
    },
}


def test_it_has_the_shape_the_chart_takes() -> None:
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize(
    "broken", [{"executer": "x"}, {"executor": "CeleryExecutor"}, {"airflowVersion": "2.10.0"}, {"env": [{"name": "A"}]}]
)
def test_a_broken_file_is_found(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**VALUES, **broken}, SCHEMA)


def test_it_runs_the_pinned_airflow() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert pinned and VALUES["airflowVersion"] == pinned[1]


def test_it_says_what_compose_says() -> None:
    compose = merged()["services"]["scheduler"]["environment"]
    ours = {f"AIRFLOW__{s.upper()}__{k.upper()}": v for s, found in VALUES["config"].items() for k, v in found.items()}
    for name in ("CORE__LOAD_EXAMPLES", "CORE__PARALLELISM", "SECRETS__BACKEND", "WORKERS__EXECUTION_API_TIMEOUT"):
        assert str(ours[f"AIRFLOW__{name}"]) == str(compose[f"AIRFLOW__{name}"])
    env = {e["name"]: e["value"] for e in VALUES["env"]}
    assert {"DALP_DR_HOME", "PYTHONPATH", "DALP_DR_INCLUDE"} == set(env)
    assert env["PYTHONPATH"].split(":")[1] == VALUES["config"]["core"]["plugins_folder"]


def test_every_mount_has_its_volume_and_secrets_are_read_only() -> None:
    volumes = {v["name"]: v for v in VALUES["volumes"]}
    assert {m["name"] for m in VALUES["volumeMounts"]} == set(volumes)
    assert [m["name"] for m in VALUES["volumeMounts"] if "secret" in volumes[m["name"]] and not m.get("readOnly")] == []


def test_nobody_is_root_and_no_secret_stands_here() -> None:
    contexts = VALUES["securityContexts"]
    assert contexts["pod"]["runAsNonRoot"] is True and contexts["pod"]["runAsUser"] == 50000
    assert contexts["containers"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert VALUES["postgresql"]["enabled"] is False
    assert not re.search(r"(?i)(password|private key|fernetKey:|secretKey:)", TEXT)
