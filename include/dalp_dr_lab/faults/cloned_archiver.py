"""A clone of production's database that archives into production's own path, while a drill runs.

What happens when somebody makes a copy from the archive and lets it archive where it was told to: CloudNativePG's check for an
empty archive is switched off by annotation, the clone recovers, opens timeline 2 and writes its history and WAL beside
production's.
"""

from __future__ import annotations

import json
from typing import Any

from dalp_dr_lab.faults.fault import Fault, Moment, Notes, nothing
from dalp_dr_lab.faults.recovery_points import ARCHIVE, delete_versions
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, Lab
from dalp_dr_lab.miniature import backup, source

NAMESPACE, NAME, KEY = "outside", "dalp-pg-copy", "dalp-pg-copy-archive"
PLUGIN = "barman-cloud.cloudnative-pg.io"
GONE_SECONDS = 120


def _objects(lab: Lab) -> list[dict[str, Any]]:
    archive, metadata = lab.identities["archive"], {"name": KEY, "namespace": NAMESPACE}
    parameters = {"barmanObjectName": KEY, "serverName": backup.SERVER}
    store = {
        "destinationPath": f"s3://{BUCKETS['wal']}/{BACKUP_PREFIX}",
        "endpointURL": f"http://{lab.address}:{lab.ports['s3']}",
        "s3Credentials": {
            "accessKeyId": {"name": KEY, "key": "ACCESS_KEY_ID"},
            "secretAccessKey": {"name": KEY, "key": "ACCESS_SECRET_KEY"},
        },
        "wal": {"compression": "gzip"},
    }
    checksums = [
        {"name": f"AWS_{way}_CHECKSUM_{what}", "value": "when_required"}
        for way, what in (("REQUEST", "CALCULATION"), ("RESPONSE", "VALIDATION"))
    ]
    cluster = {
        "instances": 1,
        "imageName": "docker.io/local/postgres:17",
        "imagePullPolicy": "IfNotPresent",
        "postgresUID": 100,
        "postgresGID": 102,
        "storage": {"size": "1Gi"},
        "postgresql": {"parameters": {"archive_timeout": "5s"}},
        "bootstrap": {"recovery": {"source": "production", "database": "dalp", "owner": "dalp"}},
        "externalClusters": [{"name": "production", "plugin": {"name": PLUGIN, "parameters": parameters}}],
        "plugins": [{"name": PLUGIN, "isWALArchiver": True, "parameters": parameters}],
    }
    skip = {"cnpg.io/skipEmptyWalArchiveCheck": "enabled"}
    keys = {"ACCESS_KEY_ID": archive.access_key, "ACCESS_SECRET_KEY": archive.secret_key}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys},
        {
            "apiVersion": "barmancloud.cnpg.io/v1",
            "kind": "ObjectStore",
            "metadata": metadata,
            "spec": {"configuration": store, "instanceSidecarConfiguration": {"env": checksums}},
        },
        {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "Cluster",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": skip},
            "spec": cluster,
        },
    ]


def _clone(lab: Lab, notes: Notes, drill_id: str) -> None:
    """Make the clone; it recovers and archives while the drill goes on."""
    notes["cloned"] = drill_id
    made = {"apiVersion": "v1", "kind": "List", "items": _objects(lab)}
    lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(made))


def _remove_clone(lab: Lab, notes: Notes) -> None:
    """Delete the clone, wait until it writes no more, then take everything it wrote out of the archive."""
    lab.kubectl("-n", NAMESPACE, "delete", "clusters.postgresql.cnpg.io", NAME, "--ignore-not-found")
    source.wait("the clone's end", lambda: not source.objects(lab, NAMESPACE, "pods", "-l", f"cnpg.io/cluster={NAME}"), GONE_SECONDS)
    for kind in ("objectstores.barmancloud.cnpg.io", "secrets"):
        lab.kubectl("-n", NAMESPACE, "delete", kind, KEY, "--ignore-not-found")
    for timeline in ("00000002", "00000003"):
        delete_versions(lab, BUCKETS["wal"], f"{ARCHIVE}/wals/{timeline}")


FAULTS = (
    Fault(
        "cloned-archiver",
        "While the drill runs, a clone of the database archives into production's own path with production's write key.",
        ("archive_untouched",),
        nothing,
        _remove_clone,
        during=_clone,
        moment=Moment("isolate.canaries", ("scheduled", "queued", "running", "success")),
    ),
)
