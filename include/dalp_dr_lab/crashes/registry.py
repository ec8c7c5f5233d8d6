"""The crashes, in two groups: what Airflow consists of, and what the platform consists of."""

from __future__ import annotations

from collections.abc import Sequence

from dalp_dr_lab.crashes import acts
from dalp_dr_lab.crashes.crash import Crash
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Moment

RUNNING, DEFERRED = ("running",), ("deferred",)
_ALL = (
    Crash(
        "scheduler-killed",
        "SIGKILL of the scheduler with its workers while a restore is under way",
        Moment("restore.kubernetes_support", DEFERRED),
        acts.kill_component("scheduler"),
        "airflow",
    ),
    Crash(
        "triggerer-killed",
        "SIGKILL of the triggerer while tasks wait in it",
        Moment("restore.kubernetes_app", DEFERRED),
        acts.kill_component("triggerer"),
        "airflow",
    ),
    Crash(
        "task-killed-after-create",
        "SIGKILL of a task's process right after it made its pods",
        Moment("verify.volumes", RUNNING),
        acts.kill_task("verify.volumes", acts.probe_pods),
        "airflow",
    ),
    Crash(
        "airflow-api-killed",
        "SIGKILL of Airflow's API server while services start",
        Moment("start.services", RUNNING),
        acts.kill_component("api-server"),
        "airflow",
    ),
    Crash(
        "metadata-database-restarted",
        "Airflow's database ends all connections and comes back",
        Moment("reconcile.catch_up", RUNNING),
        acts.restart_database,
        "airflow",
    ),
    Crash(
        "worker-frozen",
        "SIGSTOP of a worker for longer than its heartbeat may be late, then SIGCONT",
        Moment("verify.database_integrity", RUNNING),
        acts.freeze_task("verify.database_integrity"),
        "frozen",
    ),
    Crash(
        "kubernetes-api-killed",
        "SIGKILL of the Kubernetes API server while a restore is under way",
        Moment("restore.kubernetes_support", DEFERRED),
        acts.kill_api_server,
        "platform",
    ),
    Crash(
        "database-operator-killed",
        "the database operator's pod ends while it recovers",
        Moment("restore.database", DEFERRED),
        acts.kill_pod("cnpg-system", "app.kubernetes.io/name=cloudnative-pg"),
        "platform",
    ),
    Crash(
        "velero-killed",
        "Velero's server ends after the restores, before they are removed",
        Moment("verify.recovery_point", RUNNING),
        acts.kill_pod("velero", "deploy=velero"),
        "platform",
    ),
    Crash(
        "kubelet-stopped",
        "the kubelet is stopped for a minute while services start",
        Moment("start.health", RUNNING),
        acts.stop_kubelet,
        "platform",
    ),
)
CRASHES = {one.name: one for one in _ALL}
GROUPS = tuple(dict.fromkeys(one.group for one in _ALL))


def named(names: Sequence[str]) -> list[Crash]:
    """The crashes of these names. LabError for a name that does not exist."""
    if unknown := sorted(set(names) - set(CRASHES)):
        raise LabError(f"There is no crash {', '.join(unknown)}. There are: {', '.join(CRASHES)}.")
    return [CRASHES[name] for name in names]
