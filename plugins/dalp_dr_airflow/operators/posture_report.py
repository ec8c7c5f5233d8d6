"""The end of the watch: judges every record once more, says how the environment stands, and tells those who should know."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr.errors import DrillError
from dalp_dr.evidence import canonical
from dalp_dr.posture import metrics, standing
from dalp_dr_airflow.assets import POSTURE
from dalp_dr_airflow.drill import masked
from dalp_dr_airflow.notifications.outcomes import posture_turned_red
from dalp_dr_airflow.operators.posture import raise_unless_passed
from dalp_dr_airflow.operators.seal import home
from dalp_dr_airflow.watch import Watch

if TYPE_CHECKING:
    from airflow.sdk import Context

NAME = "posture.json"


class PostureReportOperator(BaseOperator):
    """Writes posture.json, an asset event and Prometheus metrics; red unless every question passed or is a declared deviation.

    :param environment: name of the environment file.
    """

    def __init__(self, *, environment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment

    def execute(self, context: Context) -> dict[str, Any]:
        watch = Watch.look(context, self.environment)
        found = watch.records()
        rows = standing.rows(found, watch.plan)
        said = standing.document(rows, watch.plan)
        before = written(self.environment)
        changed = standing.changes(before, said)
        watch.evidence.put(watch.key(f"posture-{watch.attempt:02d}.json"), canonical.dumps({**said, "changes": list(changed)}))
        write(self.environment, said)
        self.publish(watch, metrics.text(rows, found, watch.plan))
        if newly := standing.newly_red(before, said):
            posture_turned_red(watch.environment.name, watch.drill_id, newly)
        for line in changed:
            self.log.info("%s", line)
        counts = {v: sum(r.counts.value == v for r in rows) for v in ("pass", "inconclusive", "fail")}
        small = {"verdict": said["verdict"], **counts, "accepted": sum(bool(r.accepted) for r in rows), "changes": list(changed)[:20]}
        context["outlet_events"][POSTURE].extra = {"environment": watch.environment.name, **small}
        context["ti"].xcom_push(key="posture", value=small)
        raise_unless_passed(list(rows))
        return small

    def publish(self, watch: Watch, text: str) -> None:
        """Metrics where the environment wants them. A gateway that does not answer changes no verdict: it is logged."""
        posture = watch.environment.posture
        if posture.textfile:
            replace(Path(posture.textfile), text)
        replace(home() / f"posture-{watch.environment.name}.prom", text)
        if posture.pushgateway:
            from dalp_dr_airflow.hooks.pushgateway import PushgatewayHook

            try:
                PushgatewayHook(posture.pushgateway).replace(watch.environment.name, text)
            except DrillError as error:
                self.log.error("Metrics were not pushed: %s", masked(error.diagnostics()))


def written(environment: str) -> dict[str, Any] | None:
    """How an environment stood the last time; None when it was never looked at, or that cannot be read."""
    try:
        found = json.loads((home() / NAME).read_bytes())["environments"][environment]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def write(environment: str, said: dict[str, Any]) -> None:
    """posture.json in the state folder: every environment's standing."""
    try:
        whole = json.loads((home() / NAME).read_bytes())
    except (OSError, ValueError):
        whole = {}
    known = whole.get("environments") if isinstance(whole, dict) else None
    document = {"schema_version": standing.SCHEMA_VERSION, "environments": {**(known or {}), environment: said}}
    replace(home() / NAME, json.dumps(document, indent=1, sort_keys=True))


def replace(path: Path, text: str) -> None:
    """The file as a whole or not at all: a collector may read at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
