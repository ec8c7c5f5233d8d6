"""Airflow's connections in the lab: the only place where the drill learns that it is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One S3 key."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the connections lead to, taken from the lab's state."""

    source_kubeconfig: Mapping[str, Any] = field(repr=False)
    sandbox_kubeconfig: Mapping[str, Any] = field(repr=False)
    janitor_kubeconfig: Mapping[str, Any] = field(repr=False)
    recovery_kubeconfig_path: str
    s3_endpoint: str
    s3_region: str
    backup_reader: KeyPair
    documents_reader: KeyPair
    evidence: KeyPair
    escrow_reader: KeyPair
    escrow_key_pem: str = field(repr=False)
    escrow_certificate_pem: str
    rpc_primary_url: str
    rpc_secondary_url: str
    api_key: str = field(repr=False)
    source_database_host: str
    source_database_password: str = field(repr=False)
    configuration_repository: str
    signing_key_pem: str = field(repr=False)
    mail_host: str
    mail_port: int
    entrance_url: str
    entrance_token: str = field(repr=False)
    airflow_url: str
    airflow_viewer_password: str = field(repr=False)


def connections(outside: Outside) -> dict[str, dict[str, Any]]:
    """`{connection id: connection}` in Airflow's JSON form."""
    documents = _bucket(outside, outside.documents_reader)
    return {
        "dalp_source_kubernetes": _kubernetes(outside.source_kubeconfig),
        "dalp_sandbox_kubernetes": _kubernetes(outside.sandbox_kubeconfig),
        "dalp_janitor_kubernetes": _kubernetes(outside.janitor_kubeconfig),
        "dalp_recovery_kubernetes": {"conn_type": "kubernetes", "extra": {"kube_config_path": outside.recovery_kubeconfig_path}},
        "dalp_escrow": _bucket(outside, outside.escrow_reader),
        "dalp_escrow_key": {
            "conn_type": "generic",
            "password": outside.escrow_key_pem,
            "extra": {"certificate": outside.escrow_certificate_pem},
        },
        "dalp_backup_store": _bucket(outside, outside.backup_reader),
        "dalp_object_storage": documents,
        "dalp_sandbox_object_read": documents,
        "dalp_evidence_store": _bucket(outside, outside.evidence),
        "dalp_rpc_primary": {"conn_type": "http", "host": outside.rpc_primary_url},
        "dalp_rpc_secondary": {"conn_type": "http", "host": outside.rpc_secondary_url},
        "dalp_api": {"conn_type": "http", "password": outside.api_key},
        "dalp_source_database": {
            "conn_type": "postgres",
            "host": outside.source_database_host,
            "port": 5432,
            "schema": "dalp",
            "login": "dalp_reader",
            "password": outside.source_database_password,
        },
        "dalp_configuration_repository": {"conn_type": "git", "host": outside.configuration_repository, "extra": {"push": True}},
        "dalp_evidence_signing": {
            "conn_type": "generic",
            "password": outside.signing_key_pem,
            "extra": {"algorithm": "ed25519"},
        },
        "dalp_report": {
            "conn_type": "smtp",
            "host": outside.mail_host,
            "port": outside.mail_port,
            "extra": {
                "from_email": "recovery-drill@dalp.example.com",
                "to": ["platform-operations@dalp.example.com"],
                "disable_tls": True,
                "disable_ssl": True,
            },
        },
        "dalp_route_control": {"conn_type": "http", "host": outside.entrance_url, "password": outside.entrance_token},
        "dalp_public_entrance": {"conn_type": "http", "host": outside.entrance_url},
        "dalp_airflow_api": {
            "conn_type": "http",
            "host": outside.airflow_url,
            "login": "viewer",
            "password": outside.airflow_viewer_password,
        },
    }


def as_variables(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The connections as the environment variables Airflow reads."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(one, sort_keys=True) for name, one in found.items()}


def _kubernetes(kubeconfig: Mapping[str, Any]) -> dict[str, Any]:
    return {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig, sort_keys=True)}}


def _bucket(outside: Outside, key: KeyPair) -> dict[str, Any]:
    return {
        "conn_type": "aws",
        "login": key.access_key,
        "password": key.secret_key,
        "extra": {
            "endpoint_url": outside.s3_endpoint,
            "region_name": outside.s3_region,
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }
