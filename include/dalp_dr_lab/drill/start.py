"""Asks Airflow for a drill: waits until it knows the DAG, holds the conf against its params, triggers as `starter`."""

from __future__ import annotations

import time
from collections.abc import Callable

from dalp_dr_lab.drill import options
from dalp_dr_lab.drill.options import Options
from dalp_dr_lab.drill.rest import AirflowApi, DagRun
from dalp_dr_lab.errors import LabError

KNOWN_SECONDS = 120.0
POLL_SECONDS = 1.0


def drill(api: AirflowApi, wanted: Options, sleep: Callable[[float], None] = time.sleep) -> DagRun:
    """The run that was asked for. LabError when the DAG is broken, lacks a param, or has an unfinished run."""
    params = _params(api, wanted.dag_id, sleep)
    conf = options.conf(wanted)
    unknown = sorted(name for name, value in conf.items() if name not in params and value not in (None, False))
    if unknown:
        raise LabError(
            f"The DAG {wanted.dag_id} has no param {', '.join(unknown)}; it has {', '.join(sorted(params))}."
        )
    if busy := api.unfinished_runs(wanted.dag_id):
        raise LabError(
            f"{busy[0].run_id} of {wanted.dag_id} has not ended, and drills run one at a time. "
            f"Wait for it or end it: {api.url}/dags/{wanted.dag_id}/runs/{busy[0].run_id}"
        )
    api.unpause(wanted.dag_id)
    note = "Asked for by the runner of the lab" + (
        f"; the lab is broken by {', '.join(wanted.faults)}" if wanted.faults else ""
    )
    return api.trigger(wanted.dag_id, {name: value for name, value in conf.items() if name in params}, note)


def _params(api: AirflowApi, dag_id: str, sleep: Callable[[float], None]) -> dict[str, object]:
    end = time.monotonic() + KNOWN_SECONDS
    while (found := api.dag_params(dag_id)) is None:
        broken = {file: trace for file, trace in api.import_errors().items() if file.endswith(f"{dag_id}.py")}
        if broken:
            trace = next(iter(broken.values())).strip().splitlines()
            raise LabError(f"Airflow cannot read {next(iter(broken))}: {trace[-1] if trace else 'no reason given'}")
        if time.monotonic() > end:
            raise LabError(f"Airflow does not know {dag_id} after {KNOWN_SECONDS:.0f} s. Read the dag-processor's log.")
        sleep(POLL_SECONDS)
    return found
