"""Teardown: removes what carries our labels and UID, proves it gone, and keeps a red drill's sandbox for on-call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr import decide, naming
from dalp_dr.errors import DrillError
from dalp_dr.evidence import statement
from dalp_dr.isolation import sandbox
from dalp_dr_airflow.drill import Drill, now
from dalp_dr_airflow.errors import SandboxKeptError
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.operators.abort import seal_aborted
from dalp_dr_airflow.operators.seal import bundles, current_bundle, newest_bundle, state_after_seal

if TYPE_CHECKING:
    from airflow.sdk import Context

GONE_SECONDS = 180


class SandboxTeardownOperator(BaseOperator):
    """Removes the sandbox when the drill proposes READY and nobody asked to keep it; finalizers are never stripped."""

    def execute(self, context: Context) -> dict[str, Any]:
        drill = Drill.open(context)
        sealed = current_bundle(drill) if bundles(drill) else seal_aborted(drill, context)
        proposal = decide.propose(sealed.dossier())
        wanted = proposal.verdict.value == "pass" and not drill.plan.keep_sandbox
        until = sandbox.expires_at(drill.plan)
        if not wanted:
            state_after_seal(
                drill,
                "teardown",
                statement.teardown(drill.drill_id, newest_bundle(drill).manifest_sha256, now(), (), self.remaining(drill), until),
                {"kept_until": until},
            )
            raise SandboxKeptError(f"The sandbox is kept for on-call until {until}: {', '.join(self.remaining(drill))}.")
        removed = self.remove(drill)
        remaining = self.remaining(drill)
        state_after_seal(
            drill,
            "teardown",
            statement.teardown(drill.drill_id, newest_bundle(drill).manifest_sha256, now(), removed, remaining, None),
            {"remaining": list(remaining)},
        )
        if remaining:
            raise SandboxKeptError(f"Still there after {GONE_SECONDS} s: {', '.join(remaining)}. See runbook drill.md#teardown.")
        return {"removed": len(removed)}

    def remove(self, drill: Drill) -> tuple[str, ...]:
        """Restores and their ConfigMaps first, then the namespaces; each by label and UID."""
        removed = []
        for item in self.restores(drill):
            name = item["metadata"]["name"]
            for part in ("policy", "modifiers"):  # before the Restore, or a rerun would not know their names
                path = f"/api/v1/namespaces/{drill.velero.namespace}/configmaps/{name}-{part}"
                try:
                    drill.sandbox.delete(path, drill.sandbox.get(path)["metadata"]["uid"])
                except Missing:
                    continue
                removed.append(f"configmaps/{name}-{part}")
            drill.velero.delete_restore(name, item["metadata"]["uid"])
            removed.append(f"restores/{name}")
        for role in drill.plan.roles:
            path = f"/api/v1/namespaces/{drill.plan.namespace(role)}"
            try:
                found = drill.sandbox.get(path)
            except Missing:
                continue
            if (found["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) != drill.drill_id:
                raise DrillError(f"Namespace {drill.plan.namespace(role)} is not this drill's any more.", "Nothing of it was deleted.")
            drill.sandbox.delete(path, found["metadata"]["uid"])
            removed.append(f"namespaces/{drill.plan.namespace(role)}")
        return tuple(removed)

    @staticmethod
    def restores(drill: Drill) -> list[dict[str, Any]]:
        """This drill's Restores in Velero's namespace."""
        return [r for r in drill.velero.restores() if (r["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) == drill.drill_id]

    def remaining(self, drill: Drill) -> tuple[str, ...]:
        """Namespaces and volumes of this drill that still exist, waited for as long as GONE_SECONDS when being removed."""
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            left = self.present(drill)
            terminating = [n for n, phase in left.items() if phase in {"Terminating", "Released", "removing"}]
            if not terminating or time.monotonic() > deadline:
                return tuple(sorted(left))
            time.sleep(1)

    @staticmethod
    def present(drill: Drill) -> dict[str, str]:
        """Name -> phase of everything of the drill that is there."""
        names = {drill.plan.namespace(role) for role in drill.plan.roles}
        left: dict[str, str] = {}
        for name in sorted(names):
            try:
                left[f"namespaces/{name}"] = drill.sandbox.get(f"/api/v1/namespaces/{name}")["status"]["phase"]
            except Missing:
                continue
        for volume in drill.sandbox.list("/api/v1/persistentvolumes"):
            if (volume["spec"].get("claimRef") or {}).get("namespace") in names:
                left[f"persistentvolumes/{volume['metadata']['name']}"] = volume["status"]["phase"]
        for item in SandboxTeardownOperator.restores(drill):
            deleting = "deletionTimestamp" in item["metadata"]
            left[f"restores/{item['metadata']['name']}"] = "removing" if deleting else "present"
        return left
