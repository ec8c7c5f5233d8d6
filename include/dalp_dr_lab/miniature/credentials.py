"""The Secrets of the source: from outside the charts, as a secret manager makes them, with the platform's label."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature.installation import Installation

LABELS = {"kots.io/app-slug": "settlemint-dalp", "app.kubernetes.io/managed-by": "external-secrets"}
CERTIFICATE_DAYS = 90


def secret(namespace: str, name: str, data: dict[str, str], *, kind: str = "Opaque") -> dict[str, Any]:
    """One Secret object with the platform's label."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": encoded}


def tls(hosts: list[str], days: int) -> dict[str, Any]:
    """The Secret of a self-signed certificate; unlabelled, as a certificate controller's are: no backup has it."""
    certificate, key = self_signed(hosts, days)
    made = secret("dalp", "dalp-tls", {"tls.crt": certificate, "tls.key": key}, kind="kubernetes.io/tls")
    return {**made, "metadata": {**made["metadata"], "labels": {"controller.cert-manager.io/fao": "true"}}}


def all_of(lab: Lab, installation: Installation) -> list[dict[str, Any]]:
    """Every Secret that must exist before the charts are applied."""
    archive, documents = lab.identities["archive"], lab.identities["documents"]
    reader = {"username": "dalp_reader", "password": installation.database_reader_password}
    return [
        secret("dalp", "dalp-archive-write", {
            "ACCESS_KEY_ID": archive.access_key, "ACCESS_SECRET_KEY": archive.secret_key}),
        secret("dalp", "dalp-pg-reader", reader, kind="kubernetes.io/basic-auth"),
        secret("dalp", "dalp-signer", {"SIGNER_KIND": "local", "SIGNER_PRIVATE_KEY": installation.signer_key}),
        secret("dalp", "dalp-webhook", {
            "WEBHOOK_URL": "http://sink.outside:8080/webhook", "WEBHOOK_SECRET": installation.webhook_secret}),
        secret("dalp", "dalp-smtp", {
            "SMTP_HOST": "sink.outside", "SMTP_PORT": "2525",
            "SMTP_FROM": "dalp@dalp.example.com", "SMTP_TO": "holders@customer.example.com"}),
        secret("dalp", "dalp-object-storage", {
            "ACCESS_KEY_ID": documents.access_key, "SECRET_ACCESS_KEY": documents.secret_key}),
        secret("dalp", "dalp-dapi", {"SESSION_SECRET": installation.session_secret}),
        secret("dalp-support", "support-files", {"ACCESS_TOKEN": installation.support_token}),
        secret("dalp-support", "support-redis", {"REDIS_PASSWORD": installation.redis_password}),
    ]  # fmt: skip


def self_signed(hosts: list[str], days: int) -> tuple[str, str]:
    """(certificate, private key) in PEM for the hosts; `days` may be negative: expired since then."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(days, 0) - 90 if days < 0 else 0))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
