"""What a drill needs before it: a running lab, fresh backups, and a fault where one was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from dalp_dr_lab import owner, parts, recovery
from dalp_dr_lab.drill import leftovers
from dalp_dr_lab.drill.options import DAGS
from dalp_dr_lab.drill.rest import AirflowApi, ApiError
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults import record, registry
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import backup, traffic


def lab_up(lab: Lab) -> Lab:
    """Start every part of the lab but Airflow; returns the lab as it is then."""
    with owner.one_at_a_time(lab):
        for name in parts.NAMES:
            if name != "airflow":
                parts.part(name).up(lab)
                lab = Lab.load()
    return lab


@contextmanager
def beside_airflow(lab: Lab) -> Iterator[Callable[[], Lab]]:
    """Start Airflow, or restart what of it runs on older code, while the block runs: it computes, where backups wait.

    Yields a function that waits for Airflow and returns the lab as it is then. The lab is held for the whole block.
    """
    with owner.one_at_a_time(lab), ThreadPoolExecutor(1) as pool:
        starting = pool.submit(parts.part("airflow").up, lab)

        def up() -> Lab:
            starting.result()
            return Lab.load()

        yield up


def lab_since(lab: Lab) -> datetime:
    """When the lab's cluster came into being: runs older than that belong to a lab that is gone."""
    found = lab.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.creationTimestamp}")
    return datetime.fromisoformat(found)


def must_be_free(lab: Lab, api: AirflowApi, faults: Sequence[str]) -> None:
    """LabError when a drill is under way, which new backups or a fault would disturb, or when others broke the lab."""
    if faults and (active := [one.name for one in record.read(lab)]):
        raise LabError(f"The lab is broken already ({', '.join(active)}). Run `python -m dalp_dr_lab mend` first.")
    try:
        runs = [run for dag_id in DAGS.values() for run in api.runs(dag_id)]
    except ApiError as error:
        if error.status:
            raise
        return  # Airflow does not run, and so no drill does
    for run in runs:
        if not run.ended and run.run_after >= lab_since(lab):
            raise LabError(
                f"{run.run_id} of {run.dag_id} has not ended, and drills run one at a time. "
                f"Wait for it or end it: {api.url}/dags/{run.dag_id}/runs/{run.run_id}"
            )


def lose_source(lab: Lab) -> Lab:
    """Start the second cluster, wait until it knows the backups, then lose the first; returns the lab as it is then."""
    with owner.one_at_a_time(lab):
        lab = recovery.up(lab)
        recovery.lose(lab)
    return lab


def clear(lab: Lab, api: AirflowApi, say: Callable[[str], None]) -> None:
    """Remove the sandboxes that earlier drills left for a look: the lab has no room to keep them."""
    runs = [run for dag_id in DAGS.values() for run in api.runs(dag_id)]
    for drill in leftovers.remove(lab, runs, datetime.now(UTC)):
        say(f"Removed what drill {drill} had left in the lab. Its evidence stays.")


def refresh_backups(lab: Lab) -> None:
    """Let users work, then let the controllers back everything up; the caller holds the lab."""
    traffic.run(lab, traffic.next_seed(lab), traffic.ORDINARY)
    backup.run(lab)


def break_lab(lab: Lab, faults: Sequence[str]) -> None:
    """Break the lab by ordinary means; the damage is in the backups when this returns."""
    with owner.one_at_a_time(lab):
        registry.break_lab(lab, faults)


def mend_lab(lab: Lab) -> None:
    """Undo every fault and back up again."""
    with owner.one_at_a_time(lab):
        registry.mend(lab)
