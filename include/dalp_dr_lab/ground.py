"""The ground of the lab: cluster, operators, object store and chain."""

from __future__ import annotations

import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dalp_dr_lab import buckets, operators, owner, processes, servers, state
from dalp_dr_lab.cluster import images, lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BUCKETS, NAMESPACES, REGION, Lab
from dalp_dr_lab.progress import step

SOURCE, RECOVERY = Cluster.of(0), Cluster.of(1)
LOST = "lost_at"  # note in the lab's state: since when the source cluster is lost
OF_OTHER_PARTS = ("airflow-",)  # programs that another part's status speaks of


def up(lab: Lab) -> None:
    """Start what does not run; on a cluster that this lab has not seen yet, begin with empty backups and a new chain."""
    if not lab.external_cluster:  # a lab on a given cluster needs no root and nothing that exists once for a machine
        if os.geteuid():
            raise LabError("The lab needs root: it makes network namespaces and mounts. Run it with sudo.")
        owner.claim(lab)
    elif not os.environ.get("LAB_HOST_ADDRESS"):
        raise LabError("LAB_KUBECONFIG is set without LAB_HOST_ADDRESS: give the address by which that cluster's pods reach this machine.")
    if lost(lab):
        _begin_anew(lab)
    if not processes.alive(lab.folder) and (lab.external_cluster or not lifecycle.running(SOURCE)):
        lab = servers.renew_ports(lab)
    if not lab.external_cluster:
        with step("Kubernetes"):
            lifecycle.up(SOURCE)
        servers.add_address()
    new = _cluster_uid(lab) != state.read(lab.folder)["notes"].get("cluster_uid")
    if new:
        servers.forget_chain(lab)
    with step("object store, chain and RPC endpoints"):
        servers.start(lab)
        if new:
            buckets.empty(lab)
        buckets.ensure(lab)
        buckets.wait_writable(lab)
    if lab.external_cluster:
        with step("Velero of the given cluster"):
            operators.connect_backups(lab)
    elif new or operators.digest(lab, SOURCE) != state.read(lab.folder)["notes"].get("operators"):
        with step("Velero, CloudNativePG and the Barman Cloud plugin"):
            operators.install(lab, SOURCE)
    with state.change(lab.folder) as now:
        now["notes"]["cluster_uid"] = _cluster_uid(lab)
        if not lab.external_cluster:
            now["notes"]["operators"] = operators.digest(lab, SOURCE)


def lost(lab: Lab) -> str | None:
    """Since when the source cluster is lost (RFC 3339); None while it is not."""
    found: str | None = state.read(lab.folder)["notes"].get(LOST)
    return found


def _begin_anew(lab: Lab) -> None:
    """After a loss a new lab begins: what was recovered goes, and what was broken in the lost cluster is broken no more."""
    lifecycle.down(RECOVERY)
    (lab.folder / "faults.json").unlink(missing_ok=True)
    for role in servers.RPC_ROLES:
        servers.point_rpc(lab, role)
    with state.change(lab.folder) as now:
        now["notes"].pop(LOST, None)


def status(lab: Lab) -> dict[str, Any]:
    """Programs, memory in bytes and the backup location's phase."""
    records = [name for name in state.read(lab.folder)["processes"] if not name.startswith(OF_OTHER_PARTS)]
    own = {name: pid for name, pid in processes.alive(lab.folder).items() if name in records}
    gone = sorted(set(records) - set(own))
    answer: dict[str, Any] = {
        "servers": {name: processes.proportional_bytes({pid} | processes.descendants([pid])) for name, pid in own.items()},
        "stopped": gone,
        "address": lab.external_cluster or servers.has_address(),
    }
    if since := lost(lab):
        answer["source_cluster_lost"] = since
    cluster_runs = lab.external_cluster or lifecycle.running(SOURCE)
    if cluster_runs and not lab.external_cluster:
        answer["cluster"] = lifecycle.memory(SOURCE)
    if lifecycle.running(RECOVERY):
        answer["recovery_cluster"] = lifecycle.memory(RECOVERY)
    if cluster_runs:
        where = ("-n", "velero", "get", "backupstoragelocation", "default")
        answer["backup_location"] = lab.kubectl(*where, "--ignore-not-found", "-o", "jsonpath={.status.phase}")
    answer["stopped"] += [] if lab.external_cluster else lifecycle.stopped(SOURCE)
    answer["memory_bytes"] = sum(size for group in ("servers", "cluster", "recovery_cluster") for size in answer.get(group, {}).values())
    answer["running"] = cluster_runs and set(servers.NAMES) <= set(own) and not answer["stopped"]
    return answer


def env(lab: Lab) -> dict[str, str]:
    """What any ordinary client needs: kubectl, S3 clients, Ethereum clients."""
    admin = lab.identities["admin"]
    recovery = {"DALP_LAB_RECOVERY_KUBECONFIG": str(lab.recovery_kubeconfig)} if lab.recovery_kubeconfig else {}
    return {
        "KUBECONFIG": str(lab.kubeconfig),
        "AWS_ENDPOINT_URL": lab.s3_endpoint,
        "AWS_ACCESS_KEY_ID": admin.access_key,
        "AWS_SECRET_ACCESS_KEY": admin.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "DALP_LAB_RPC_URLS": ",".join(lab.rpc_urls),
        "DALP_LAB_SOURCE_NAMESPACE": NAMESPACES[0],
        "DALP_LAB_BUCKETS": ",".join(BUCKETS.values()),
        **recovery,
    }


def down(lab: Lab) -> None:
    """End every program of the lab and both clusters; the evidence bucket's data stays, no other data is used again."""
    if not lab.external_cluster and (other := owner.another(lab)):
        raise LabError(f"The running lab is that of {other['checkout']}. Stop it with `make down` there.")
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(servers.stop, lab)]
        if not lab.external_cluster:
            ends.append(pool.submit(_clusters_down))
        for end in ends:
            end.result()
    if not lab.external_cluster:
        servers.remove_address()
        owner.release(lab)
        with state.change(lab.folder) as now:
            now["notes"].pop("cluster_uid", None)
            now["notes"].pop(LOST, None)


def _clusters_down() -> None:
    for cluster in (RECOVERY, SOURCE):
        lifecycle.down(cluster)


def load_image(lab: Lab, archive: Path) -> None:
    """Load an image archive into the cluster; on somebody else's cluster by the command in LAB_IMAGE_LOAD."""
    if not lab.external_cluster:
        for cluster in (SOURCE, RECOVERY):
            if lifecycle.running(cluster):
                images.load(cluster, [archive])
        return
    command = os.environ.get("LAB_IMAGE_LOAD")
    if not command:
        raise LabError(
            "LAB_IMAGE_LOAD is not set: give the command that loads an image archive into the cluster of LAB_KUBECONFIG, "
            "for example LAB_IMAGE_LOAD='kind load image-archive'; the archive's path is added to it."
        )
    done = subprocess.run([*shlex.split(command), str(archive)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"LAB_IMAGE_LOAD failed for {archive.name}: {(done.stderr or done.stdout).strip()}")


def _cluster_uid(lab: Lab) -> str:
    return lab.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
