"""The connections and the configuration that the lab gives its Airflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dalp_dr_lab.airflow import components, configuration, connections, settings
from dalp_dr_lab.airflow.connections import KeyPair, Outside
from dalp_dr_lab.airflow.places import Places

OUTSIDE = Outside(
    source_kubeconfig={"current-context": "source-reader"},
    sandbox_kubeconfig={"current-context": "drill"},
    janitor_kubeconfig={"current-context": "janitor"},
    recovery_kubeconfig_path="/state/recovery.kubeconfig",
    s3_endpoint="http://10.250.255.1:1",
    s3_region="us-east-1",
    backup_reader=KeyPair("reader", "secret-1"),
    documents_reader=KeyPair("documents", "secret-2"),
    evidence=KeyPair("evidence", "secret-3"),
    escrow_reader=KeyPair("escrow", "secret-5"),
    escrow_key_pem="-----BEGIN PRIVATE KEY-----",
    escrow_certificate_pem="-----BEGIN CERTIFICATE-----",
    rpc_primary_url="http://10.250.255.1:2",
    rpc_secondary_url="http://10.250.255.1:3",
    api_key="sm_dalp_x",
    source_database_host="10.250.1.9",
    source_database_password="secret-5",
    configuration_repository="/git/configuration.git",
    signing_key_pem="-----BEGIN PRIVATE KEY-----",
    mail_host="10.250.255.1",
    mail_port=25,
    entrance_url="http://10.250.255.1:5",
    entrance_token="secret-5",
    airflow_url="http://127.0.0.1:4",
    airflow_viewer_password="secret-4",
)
NAMES = {
    "dalp_source_kubernetes",
    "dalp_sandbox_kubernetes",
    "dalp_janitor_kubernetes",
    "dalp_recovery_kubernetes",
    "dalp_source_database",
    "dalp_escrow",
    "dalp_escrow_key",
    "dalp_backup_store",
    "dalp_object_storage",
    "dalp_sandbox_object_read",
    "dalp_evidence_store",
    "dalp_rpc_primary",
    "dalp_rpc_secondary",
    "dalp_api",
    "dalp_configuration_repository",
    "dalp_evidence_signing",
    "dalp_report",
    "dalp_route_control",
    "dalp_public_entrance",
    "dalp_airflow_api",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "checkout", tmp_path / "state")


def test_every_connection_of_the_design_is_there() -> None:
    assert set(connections.connections(OUTSIDE)) == NAMES


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("dalp_backup_store", "reader"),
        ("dalp_object_storage", "documents"),
        ("dalp_sandbox_object_read", "documents"),
        ("dalp_evidence_store", "evidence"),
    ],
)
def test_each_store_has_its_own_identity(name: str, login: str) -> None:
    found = connections.connections(OUTSIDE)[name]
    assert (found["login"], found["extra"]["endpoint_url"]) == (login, OUTSIDE.s3_endpoint)


def test_source_and_sandbox_are_two_identities() -> None:
    found = connections.connections(OUTSIDE)
    contexts = [json.loads(found[f"dalp_{side}_kubernetes"]["extra"]["kube_config"]) for side in ("source", "sandbox")]
    assert contexts == [OUTSIDE.source_kubeconfig, OUTSIDE.sandbox_kubeconfig]


def test_the_environment_carries_json() -> None:
    found = connections.as_variables(connections.connections(OUTSIDE))
    assert json.loads(found["AIRFLOW_CONN_DALP_API"]) == {"conn_type": "http", "password": "sm_dalp_x"}


def test_secrets_are_not_printed() -> None:
    assert "secret-1" not in repr(OUTSIDE)
    assert "sm_dalp_x" not in repr(OUTSIDE)
    assert "secret-4" not in repr(OUTSIDE)


def test_the_audit_of_a_run_is_read_as_a_user_who_can_change_nothing() -> None:
    found = connections.connections(OUTSIDE)["dalp_airflow_api"]
    assert settings.ROLES[found["login"]] == "viewer"


def test_settings_and_passwords_stay_the_same_and_are_private(places: Places) -> None:
    numbers = iter(range(1, 9))
    first = settings.load(places, lambda name: next(numbers))
    again = settings.load(places, lambda name: {"airflow-web": 1, "airflow-database": 2}.get(name, 3))
    assert (first.jwt_secret, first.url) == (again.jwt_secret, again.url)
    assert settings.users(places) == settings.users(places)
    assert set(settings.users(places)) == {"starter", "owner", "operator", "viewer"}
    assert len(set(settings.users(places).values())) == 4
    assert {oct(path.stat().st_mode & 0o777) for path in (places.secrets, places.users)} == {"0o600"}


def test_the_viewer_cannot_answer_and_nobody_is_admin() -> None:
    assert settings.ROLES["viewer"] == "viewer"
    assert "admin" not in settings.ROLES.values()


def test_components_see_the_checkout_and_the_state(places: Places) -> None:
    found = configuration.variables(places, settings.load(places, lambda name: 1), Path("/tools"))
    assert found["PYTHONPATH"] == f"{places.checkout}/include:{places.checkout}/plugins"
    assert (found["DALP_DR_HOME"], found["DALP_DR_HELM"]) == (str(places.state), "/tools/helm")
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg2://airflow:")


def test_another_airflows_settings_are_not_inherited() -> None:
    inherited = ["PATH", "AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "PYTHONDONTWRITEBYTECODE", "HOME"]
    assert configuration.without(inherited) == ["AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "PYTHONDONTWRITEBYTECODE"]


def test_a_component_keeps_its_own_settings_where_another_airflow_has_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:///elsewhere.db")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")
    started: list[list[str]] = []

    class Recorder:
        def spawn(self, name: str, words: list[str], *, env: dict[str, str]) -> None:
            started.append(words)

    components.start(Recorder(), "airflow-scheduler", ["airflow"], {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "ours"})  # type: ignore[arg-type]
    unset = started[0][1:-1][1::2]
    assert "AIRFLOW__CORE__EXECUTOR" in unset and "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in unset
