"""Proposes a change of the operating targets where the drill showed them to be impossible or far too loose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr.errors import FactError
from dalp_dr.report import target_change
from dalp_dr_airflow import audit
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.operators.base import skip_dry_run
from dalp_dr_airflow.operators.report import expected_summary
from dalp_dr_airflow.operators.seal import home, newest_bundle

if TYPE_CHECKING:
    from airflow.sdk import Context

FILE = "target-change.yaml"


class TargetChangeOperator(BaseOperator):
    """A page beside the bundle, and a branch of the configuration repository where the connection may push. Changes no target."""

    def execute(self, context: Context) -> dict[str, Any]:
        skip_dry_run(context)
        drill = Drill.open(context)
        page = target_change.page(expected_summary(drill, newest_bundle(drill), audit.changed_by(drill)))
        if page is None:
            self.log.info("Every target that was measured is neither missed nor far too loose: nothing is proposed.")
            return {"proposed": False, "branch": None}
        for line in page.text.splitlines():
            self.log.info("%s", line)
        path = home() / "drills" / drill.drill_id / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page.text, encoding="utf-8")
        return {"proposed": True, "branch": self.push(drill, page)}

    @staticmethod
    def push(drill: Drill, page: target_change.Page) -> str | None:
        """Name of the pushed branch; None where this connection may not push. Raises FactError without a commit to start from."""
        if drill.plan.configuration is None:
            raise FactError("The plan names no configuration commit, so no branch can begin.", f"Take {FILE} beside the bundle.")
        branch = f"recovery-drill/{drill.drill_id}-targets"
        made = drill.configuration.propose(drill.plan.configuration.commit, branch, page.path, page.text, page.message)
        return branch if made else None
