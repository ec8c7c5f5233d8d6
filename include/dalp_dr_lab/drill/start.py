"""Asks Airflow for a drill: waits until it knows the DAG, holds the conf against its params, triggers as `starter`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from dalp_dr_lab.drill import options
from dalp_dr_lab.drill.options import Options
from dalp_dr_lab.drill.rest import AirflowApi, Dag, DagRun
from dalp_dr_lab.errors import LabError

KNOWN_SECONDS = 120.0
POLL_SECONDS = 1.0


def drill(
    api: AirflowApi,
    wanted: Options,
    *,
    parsed_since: datetime,
    lab_since: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> DagRun:
    """The run that was asked for, of the DAG as read since `parsed_since`.

    An unfinished run older than the lab (`lab_since`) is ended. LabError when the DAG cannot be read, lacks a param, or
    has another unfinished run.
    """
    params = _newest(api, wanted.dag_id, parsed_since, sleep).params
    conf = options.conf(wanted)
    unknown = sorted(name for name, value in conf.items() if name not in params and value not in (None, False))
    if unknown:
        raise LabError(f"The DAG {wanted.dag_id} has no param {', '.join(unknown)}; it has {', '.join(sorted(params))}.")
    for run in api.runs(wanted.dag_id):
        if not run.ended and run.run_after < lab_since:
            api.end(run, "Ended by the runner: the lab it ran on is gone.")
        elif not run.ended:
            raise LabError(
                f"{run.run_id} of {wanted.dag_id} has not ended, and drills run one at a time. "
                f"Wait for it or end it: {api.url}/dags/{wanted.dag_id}/runs/{run.run_id}"
            )
    api.unpause(wanted.dag_id)
    note = "Asked for by the runner of the lab" + (f"; the lab is broken by {', '.join(wanted.faults)}" if wanted.faults else "")
    return api.trigger(wanted.dag_id, {name: value for name, value in conf.items() if name in params}, note)


def _newest(api: AirflowApi, dag_id: str, since: datetime, sleep: Callable[[float], None]) -> Dag:
    end = time.monotonic() + KNOWN_SECONDS
    while True:
        found = api.dag(dag_id)
        if found is not None and found.parsed_at is not None and found.parsed_at >= since:
            return found
        for file, trace in api.import_errors(since).items():
            if file.endswith(f"{dag_id}.py"):
                raise LabError(f"Airflow cannot read {file}: {(trace.strip().splitlines() or ['no reason given'])[-1]}")
        if time.monotonic() > end:
            raise LabError(f"Airflow has not read {dag_id} within {KNOWN_SECONDS:.0f} s. Read the DAG processor's log.")
        sleep(POLL_SECONDS)
