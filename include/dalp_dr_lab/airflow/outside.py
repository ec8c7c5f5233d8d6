"""What the connections lead to, read from the running lab."""

from __future__ import annotations

from dalp_dr_lab.airflow import identities, settings, signing
from dalp_dr_lab.airflow.connections import KeyPair, Outside
from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.lab import REGION, Lab
from dalp_dr_lab.miniature import configuration, escrow, installation


def of(lab: Lab, places: Places) -> Outside:
    """The addresses and credentials of this lab; rights are applied before tokens are asked for."""
    identities.apply_rights(lab)

    def key(name: str) -> KeyPair:
        return KeyPair(lab.identities[name].access_key, lab.identities[name].secret_key)

    escrow_key, escrow_certificate = escrow.key_pair(lab)
    return Outside(
        source_kubeconfig=identities.kubeconfig(lab, places, "source-reader"),
        sandbox_kubeconfig=identities.kubeconfig(lab, places, "drill"),
        janitor_kubeconfig=identities.kubeconfig(lab, places, "janitor"),
        recovery_kubeconfig_path=str(places.recovery_kubeconfig),
        s3_endpoint=lab.s3_endpoint,
        s3_region=REGION,
        backup_reader=key("backup-reader"),
        documents_reader=key("documents-reader"),
        evidence=key("evidence"),
        escrow_reader=key("escrow-reader"),
        escrow_key_pem=escrow_key,
        escrow_certificate_pem=escrow_certificate,
        rpc_primary_url=lab.rpc_url("primary"),
        rpc_secondary_url=lab.rpc_url("secondary"),
        api_key=installation.load(lab).reader_api_key,
        source_database_host=lab.kubectl("-n", "dalp", "get", "service", "dalp-pg-rw", "-o", "jsonpath={.spec.clusterIP}"),
        source_database_password=installation.load(lab).database_reader_password,
        configuration_repository=str(configuration.repository(lab)),
        signing_key_pem=signing.private_key(places),
        mail_host=lab.address,
        mail_port=lab.ports["mailbox"],
        entrance_url=lab.entrance_url,
        entrance_token=lab.entrance_token.read_text().strip(),
        airflow_url=settings.load(places, lab.port).url,
        airflow_viewer_password=settings.users(places)["viewer"],
    )
