"""Velero, CloudNativePG and the Barman Cloud plugin: upstream's manifests, adapted to local images, applied and awaited."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from dalp_dr_lab.cluster import build
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, NAMESPACES, REGION, Lab

VELERO_IMAGE = "docker.io/local/velero:v1.18.3"
CNPG_IMAGE = "docker.io/local/cnpg:1.30.0"
PLUGIN_IMAGE = "docker.io/local/barman-plugin:0.14.0"
SIDECAR_IMAGE = "docker.io/local/barman-sidecar:0.14.0"
ROLLOUTS = (
    ("cnpg-system", "deployment/cnpg-controller-manager"),
    ("cnpg-system", "deployment/barman-cloud"),
    ("velero", "deployment/velero"),
    ("velero", "daemonset/node-agent"),
)
ROLLOUT_SECONDS = 180
CERTIFICATE_DAYS = 365
VOLUMES_AT_ONCE = 4
Document = dict[str, Any]


def install(lab: Lab, cluster: Cluster) -> None:
    """Install all three and return when they run and the backup location is available (about 20 s)."""
    documents = [*cnpg(cluster), *plugin(cluster), *velero(lab, cluster)]
    if not lab.kubectl("get", "secret", "barman-cloud-server-tls", "-n", "cnpg-system", "--ignore-not-found", "-o", "name"):
        documents += [_certificate(side) for side in ("server", "client")]
    first = [d for d in documents if d["kind"] in ("CustomResourceDefinition", "Namespace")]
    _apply(lab, first)
    names = [f"crd/{d['metadata']['name']}" for d in first if d["kind"] == "CustomResourceDefinition"]
    lab.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    _apply(lab, [d for d in documents if d not in first])
    with ThreadPoolExecutor(len(ROLLOUTS)) as pool:
        for done in [pool.submit(_rollout, lab, namespace, what) for namespace, what in ROLLOUTS]:
            done.result()
    wait_backup_location(lab)


def connect_backups(lab: Lab) -> None:
    """On a cluster that somebody else runs: point its Velero at the lab's bucket."""
    for group in ("backups.velero.io", "clusters.postgresql.cnpg.io", "objectstores.barmancloud.cnpg.io"):
        if not lab.kubectl("get", "crd", group, "--ignore-not-found", "-o", "name"):
            raise LabError(
                f"The cluster of LAB_KUBECONFIG has no {group}. Install Velero, CloudNativePG and its Barman Cloud plugin "
                "there first (their published charts do), or unset LAB_KUBECONFIG to use the lab's own cluster."
            )
    _apply(lab, [_cloud_credentials(lab), _backup_location(lab)])
    wait_backup_location(lab)


def digest(lab: Lab, cluster: Cluster) -> str:
    """What decides whether the installed operators are those of this checkout and this lab's store."""
    source = Path(__file__).read_bytes()
    programs = "".join(program.digest for program in build.OPERATOR_PROGRAMS)
    key = lab.identities["velero"]
    return hashlib.sha256(source + f"{programs}{lab.s3_endpoint}{key.access_key}{key.secret_key}".encode()).hexdigest()


def wait_backup_location(lab: Lab) -> None:
    """Return when Velero can read and write the lab's bucket."""
    lab.kubectl(
        *("-n", "velero", "wait", "backupstoragelocation/default", "--for=jsonpath={.status.phase}=Available"),
        f"--timeout={ROLLOUT_SECONDS}s",
    )


def _apply(lab: Lab, documents: list[Document]) -> None:
    text = "\n---\n".join(json.dumps(document) for document in documents)
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)


def _rollout(lab: Lab, namespace: str, what: str) -> None:
    lab.kubectl("-n", namespace, "rollout", "status", what, f"--timeout={ROLLOUT_SECONDS}s")


def velero(lab: Lab, cluster: Cluster) -> Iterator[Document]:
    """What `velero install` would apply, with the local image, which brings the AWS plugin along."""
    key = lab.identities["velero"]
    program = build.operators_home(cluster) / "bin/velero"
    with tempfile.NamedTemporaryFile("w", suffix=".ini", dir=lab.folder / "tmp") as secret:
        secret.write(_credentials_file(key.access_key, key.secret_key))
        secret.flush()
        words = [
            *(str(program), "install", "--dry-run", "-o", "yaml", "--provider", "aws", "--plugins", VELERO_IMAGE),
            *("--image", VELERO_IMAGE, "--bucket", BUCKETS["backups"], "--prefix", BACKUP_PREFIX),
            *("--secret-file", secret.name, "--use-node-agent", "--use-volume-snapshots=false"),
            *("--backup-location-config", f"region={REGION},s3ForcePathStyle=true,s3Url={lab.s3_endpoint}"),
            *("--velero-pod-cpu-request=50m", "--velero-pod-mem-request=64Mi"),
            *("--node-agent-pod-cpu-request=50m", "--node-agent-pod-mem-request=64Mi"),
        ]
        done = subprocess.run(words, env={"KUBECONFIG": str(lab.kubeconfig)}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"velero install --dry-run failed: {done.stderr.strip()}. Run `make setup` again.")
    for document in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader):
        for part in document["items"] if document and document["kind"] == "List" else [document]:
            if part:
                _adapt_velero(part, read_only=cluster.number > 0)  # only production may add or remove backups
                yield part
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "node-agent-config", "namespace": "velero"},
        "data": {"config": json.dumps({"loadConcurrency": {"globalConfig": VOLUMES_AT_ONCE}})},
    }


def _adapt_velero(part: Document, read_only: bool = False) -> None:
    if part["kind"] == "BackupStorageLocation":
        part["spec"].update(validationFrequency="15s", backupSyncPeriod="1m0s")
        if read_only:
            part["spec"]["accessMode"] = "ReadOnly"
    if part["kind"] not in ("Deployment", "DaemonSet"):
        return
    spec = part["spec"]["template"]["spec"]
    container = spec["containers"][0]
    if part["kind"] == "Deployment":
        spec.pop("initContainers", None)  # the plugin is inside the image, under /plugins
        container["volumeMounts"] = [mount for mount in container["volumeMounts"] if mount["name"] != "plugins"]
        spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] != "plugins"]
        # side by side: with the default of one, a queued backup may be looked at again only after a minute
        container["args"] += ["--log-level=info", "--fs-backup-timeout=6m", f"--concurrent-backups={len(NAMESPACES)}"]
    else:
        container["args"] += ["--node-agent-configmap=node-agent-config"]
    container.setdefault("env", []).append({"name": "HOME", "value": "/scratch"})
    spec.setdefault("securityContext", {})["fsGroup"] = 65532


def cnpg(cluster: Cluster) -> Iterator[Document]:
    """The operator's release manifest, with the local image and without a CPU limit."""
    for document in _upstream(cluster, "cnpg.yaml"):
        if document["kind"] == "Deployment":
            container = document["spec"]["template"]["spec"]["containers"][0]
            requests = {"cpu": "50m", "memory": "100Mi"}
            container.update(image=CNPG_IMAGE, imagePullPolicy="IfNotPresent", resources={"requests": requests})
            for variable in container["env"]:
                if variable["name"] == "OPERATOR_IMAGE_NAME":
                    variable["value"] = CNPG_IMAGE
        yield document


def plugin(cluster: Cluster) -> Iterator[Document]:
    """The plugin's manifest with the local images, without what asks cert-manager for certificates."""
    for document in _upstream(cluster, "plugin.yaml"):
        if document["apiVersion"].startswith("cert-manager.io/"):
            continue
        if document["kind"] == "Secret" and "SIDECAR_IMAGE" in document.get("data", {}):
            document["data"]["SIDECAR_IMAGE"] = base64.b64encode(SIDECAR_IMAGE.encode()).decode()
        if document["kind"] == "Deployment":
            container = document["spec"]["template"]["spec"]["containers"][0]
            container.update(image=PLUGIN_IMAGE, imagePullPolicy="IfNotPresent")
        yield document


def _upstream(cluster: Cluster, name: str) -> Iterator[Document]:
    text = build.manifest(cluster, name).read_text()
    return (document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document)


def _certificate(side: str) -> Document:
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *(
                "-days",
                str(CERTIFICATE_DAYS),
                "-keyout",
                "tls.key",
                "-out",
                "tls.crt",
                "-subj",
                f"/CN=barman-cloud-{side}",
            ),
            *("-addext", "subjectAltName=DNS:barman-cloud", "-addext", f"extendedKeyUsage={side}Auth"),
        ]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        files = {name: (Path(folder) / name).read_text() for name in ("tls.crt", "tls.key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": f"barman-cloud-{side}-tls", "namespace": "cnpg-system"},
        "stringData": {**files, "ca.crt": files["tls.crt"]},
    }


def _credentials_file(access_key: str, secret_key: str) -> str:
    return f"[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n"


def _cloud_credentials(lab: Lab) -> Document:
    key = lab.identities["velero"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "dalp-lab-credentials", "namespace": "velero"},
        "stringData": {"cloud": _credentials_file(key.access_key, key.secret_key)},
    }


def _backup_location(lab: Lab) -> Document:
    return {
        "apiVersion": "velero.io/v1",
        "kind": "BackupStorageLocation",
        "metadata": {"name": "default", "namespace": "velero"},
        "spec": {
            "provider": "aws",
            "default": True,
            "objectStorage": {"bucket": BUCKETS["backups"], "prefix": BACKUP_PREFIX},
            "credential": {"name": "dalp-lab-credentials", "key": "cloud"},
            "config": {"region": REGION, "s3ForcePathStyle": "true", "s3Url": lab.s3_endpoint},
            "validationFrequency": "15s",
            "backupSyncPeriod": "1m0s",
        },
    }
