"""The miniature DALP's life: install it into the lab's cluster, look at it, say how to reach it, remove it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from dalp_dr_lab import ground, servers
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BUCKETS, CHAIN_ID, NAMESPACES, Lab
from dalp_dr_lab.miniature import configuration, contracts, credentials, escrow, image, installation, release_store, source
from dalp_dr_lab.miniature.installation import Installation
from dalp_dr_lab.progress import step

HOSTS = {"dapp": "dapp.dalp.example.com", "dapi": "api.dalp.example.com"}
OUTSIDE = Path(__file__).resolve().parent / "outside.yaml"
READY_SECONDS = 240
VOLUMES = (  # namespace, workload, container: each has its volume at /data
    ("dalp", "deployment/dalp-worker", "worker"),
    ("dalp", "statefulset/dalp-indexer", "indexer"),
    ("dalp-support", "statefulset/support-files", "files"),
    ("dalp-observability", "statefulset/observability", "observability"),
)
WORKLOADS = (
    ("dalp", "deployment/dalp-erpc"),
    ("dalp", "deployment/dalp-dapi"),
    ("dalp", "deployment/dalp-dapp"),
    ("dalp", "statefulset/dalp-indexer"),
    ("dalp", "deployment/dalp-worker"),
    ("dalp-support", "statefulset/support-files"),
    ("dalp-support", "deployment/support-redis"),
    ("dalp-observability", "statefulset/observability"),
    ("outside", "deployment/sink"),
)


PUBLIC_HOSTS = {"dapp.dalp.example.com.drill.invalid": ("dalp-dapp", 3000)}  # the drill's own; nobody else uses them


def _address(lab: Lab, service: str, port: int) -> str:
    return f"{lab.kubectl('-n', 'dalp', 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}')}:{port}"


def up(lab: Lab) -> None:
    """Install everything and wait until every service is ready; goes on where an earlier call stopped."""
    with step("image of the miniature DALP"):
        ground.load_image(lab, image.build())
    with step("token contracts"):
        facts = contracts.ensure(lab)
    with step("namespaces, credentials, releases"):
        lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(_namespaces()))
        release_store.apply(lab, credentials.all_of(lab, facts), "external-secrets")
        if not lab.kubectl("-n", "dalp", "get", "secret", "dalp-tls", "--ignore-not-found", "-o", "name"):
            certificate = credentials.tls(list(HOSTS.values()), credentials.CERTIFICATE_DAYS)
            release_store.apply(lab, [certificate], "cert-manager")
        escrow.put(lab)
        lab.kubectl("apply", "--server-side", "--filename=-", input=OUTSIDE.read_text())
        configuration.commit(lab, values(lab, facts), "Install the platform")
        for name in release_store.RELEASES:
            release_store.install(lab, name)
    with step("volumes"):
        initialise_volumes(lab)
    with step("database"):
        source.wait(
            "schema of the database",
            lambda: source.sql(lab, "select max(version) from schema_migration"),
            READY_SECONDS,
        )
        source.sql(lab, installation.accounts_sql(facts))
    with step("services"):
        wait_ready(lab)
    servers.map_public_hosts(lab, {host: _address(lab, service, port) for host, (service, port) in PUBLIC_HOSTS.items()})


def _namespaces() -> dict[str, Any]:
    items = [
        {"apiVersion": "v1", "kind": "Namespace",
         "metadata": {"name": name, "labels": {"environment": "production"}}}
        for name in NAMESPACES
    ]  # fmt: skip
    return {"apiVersion": "v1", "kind": "List", "items": items}


def values(lab: Lab, facts: Installation) -> dict[str, dict[str, Any]]:
    """The values of the three releases: what differs from the charts' defaults."""
    return {
        "dalp": {
            "chain": {"id": CHAIN_ID, "upstreamUrl": lab.rpc_url("primary"), "tokens": list(facts.tokens)},
            "dapp": {"host": HOSTS["dapp"]},
            "dapi": {"host": HOSTS["dapi"]},
            "objectStorage": {"endpoint": lab.s3_endpoint, "bucket": BUCKETS["documents"]},
            "database": {"archive": {"endpoint": lab.s3_endpoint, "destinationPath": f"s3://{BUCKETS['wal']}/prod"}},
            "backup": {"enabled": True},
        },
        "support": {"backup": {"enabled": True}, "files": {"tier": "standard"}},
        "observability": {"backup": {"enabled": True}},
    }


def initialise_volumes(lab: Lab) -> None:
    """Write the static files of each volume once; a volume that has its manifest is left as it is."""
    for namespace, workload, container in VOLUMES:
        seed = workload.partition("/")[2]
        script = f"test -s /data/SHA256SUMS || python3 -m services.volume init /data {seed}"
        words = ("-n", namespace, "exec", workload, "-c", container, "--", "sh", "-c", script)
        source.wait(f"a running container of {workload}", lambda w=words: lab.kubectl(*w) is not None, READY_SECONDS)


def wait_ready(lab: Lab, seconds: int = READY_SECONDS) -> None:
    """Wait until every workload has all its replicas ready and the database archives."""
    for namespace, workload in WORKLOADS:
        lab.kubectl("-n", namespace, "rollout", "status", workload, f"--timeout={seconds}s")
    source.wait("the database cluster", lambda: database_healthy(lab), seconds)


def database_healthy(lab: Lab) -> bool:
    """Whether CloudNativePG calls the cluster ready and its archiving works."""
    found = json.loads(lab.kubectl("-n", "dalp", "get", "clusters.postgresql.cnpg.io", "dalp-pg", "-o", "json"))
    conditions = {item["type"]: item["status"] for item in found.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and conditions.get("ContinuousArchiving") == "True"


def status(lab: Lab) -> dict[str, Any]:
    """Each workload's ready and wanted replicas, the database, the tokens; `running` when all is as it should be."""
    workloads, reason, healthy = {}, "", False
    try:
        for namespace in dict.fromkeys(namespace for namespace, _ in WORKLOADS):
            for item in source.objects(lab, namespace, "deployments,statefulsets"):
                name = f"{namespace}/{item['metadata']['name']}"
                workloads[name] = {"ready": item["status"].get("readyReplicas", 0), "wanted": item["spec"]["replicas"]}
        healthy = database_healthy(lab)
    except LabError as error:
        reason = str(error)
    whole = len(workloads) == len(WORKLOADS) and all(found["ready"] == found["wanted"] for found in workloads.values())
    facts = {"tokens": list(installation.load(lab).tokens)} if installation.path(lab).exists() else {}
    found = {"workloads": workloads, "database_healthy": healthy, **facts}
    return {"running": whole and healthy, **found, **({"reason": reason} if reason else {})}


def env(lab: Lab) -> dict[str, str]:
    """What an ordinary client needs to look at the source or to damage it, as environment variables."""
    encoded = lab.kubectl("-n", "dalp", "get", "secret", "dalp-pg-app", "-o", "jsonpath={.data.password}")
    password = base64.b64decode(encoded).decode()
    address = lab.kubectl("-n", "dalp", "get", "service", "dalp-pg-rw", "-o", "jsonpath={.spec.clusterIP}")
    facts = installation.load(lab)
    return {
        "DALP_LAB_SOURCE_DSN": f"postgresql://dalp:{password}@{address}:5432/dalp",
        "DALP_LAB_SOURCE_READER_DSN": f"postgresql://dalp_reader:{facts.database_reader_password}@{address}:5432/dalp",
        "DALP_LAB_RPC_URLS": ",".join(lab.rpc_urls),
        "DALP_LAB_SOURCE_NAMESPACE": NAMESPACES[0],
        "DALP_LAB_BUCKETS": ",".join(BUCKETS.values()),
        "DALP_LAB_TOKENS": ",".join(facts.tokens),
        "DALP_LAB_API_KEY": facts.writer_api_key,
        "DALP_LAB_READ_API_KEY": facts.reader_api_key,
        "DALP_LAB_CONFIGURATION_REPOSITORY": str(configuration.repository(lab)),
    }


def down(lab: Lab) -> None:
    """Forget the installation; on a cluster that is not ours also remove every object of it."""
    if lab.external_cluster:
        remove(lab)
    for folder in (configuration.repository(lab), configuration.working_copy(lab)):
        shutil.rmtree(folder, ignore_errors=True)
    leftovers = ("miniature-telemetry.json", "faults.json")
    for path in (installation.path(lab), lab.rpc_target_file("secondary"), *(lab.folder / name for name in leftovers)):
        path.unlink(missing_ok=True)


def remove(lab: Lab) -> None:
    """Delete the source's namespaces and schedules from the cluster."""
    for item in source.objects(lab, "velero", "schedules.velero.io"):
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "dalp":
            lab.kubectl("-n", "velero", "delete", "schedules.velero.io", item["metadata"]["name"])
    lab.kubectl("delete", "namespace", *NAMESPACES, "outside", "--ignore-not-found")
