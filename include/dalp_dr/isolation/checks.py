"""Record kinds and checks of the isolation: the guard, privileges, capacity, the quarantine itself, manual changes."""

from __future__ import annotations

from dalp_dr.isolation import capacity, guard, manual, privileges, quarantine
from dalp_dr.model.check import Check, Stage
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("guard", guard.Guard, Stage.PREFLIGHT),
    RecordKind("privileges", privileges.Privileges, Stage.PREFLIGHT),
    RecordKind("capacity", capacity.Capacity, Stage.PREFLIGHT),
    RecordKind("isolation", quarantine.Quarantine, Stage.ISOLATE, lambda plan: ("before", "after")),
    RecordKind("manual_changes", manual.ManualChanges, Stage.MEASURE))

CHECKS: tuple[Check, ...] = (
    Check("sandbox_is_not_source", "guard", None, Stage.PREFLIGHT, "Is the sandbox something else than production?",
          guard.sandbox_is_not_source, "Point the sandbox connection and the namespace prefix away from production.",
          "isolation.md#guard", refuses=True),
    Check("sandbox_is_ours_or_absent", "guard", None, Stage.PREFLIGHT, "Are the sandbox namespaces absent, or of this very drill?",
          guard.sandbox_is_ours_or_absent, "Find out whose namespace it is; remove it only when it is a drill's.",
          "isolation.md#guard", refuses=True),
    Check("needed_verbs_allowed", "privileges", None, Stage.PREFLIGHT, "May both identities do what the drill needs?",
          privileges.needed_verbs_allowed, "Apply the manifests of `dalp_dr environment rbac` again.",
          "isolation.md#privileges", refuses=True),
    Check("source_writes_denied", "privileges", None, Stage.PREFLIGHT, "Is every write to production denied to both identities?",
          privileges.source_writes_denied, "Remove the role or binding that grants it, or apply the admission policies.",
          "isolation.md#privileges", refuses=True),
    Check("read_keys_cannot_write", "privileges", None, Stage.PREFLIGHT, "Are the stores' read keys unable to write?",
          privileges.read_keys_cannot_write, "Give the connection a key that may read and list only.",
          "isolation.md#read-keys", refuses=True),
    Check("capacity_sufficient", "capacity", None, Stage.PREFLIGHT, "Does the sandbox fit beside what runs?",
          capacity.capacity_sufficient, "Free capacity, raise the quota, or use a separate recovery cluster.",
          "isolation.md#capacity", refuses=True),
    Check("default_deny_in_force", "isolation", None, Stage.ISOLATE, "Does the sandbox deny all traffic that was not planned?",
          quarantine.default_deny_in_force, "Find who changed the policies; start a new drill.", "isolation.md#network"),
    Check("canaries_refused", "isolation", None, Stage.ISOLATE, "Can nothing in the sandbox reach production or the outside?",
          quarantine.canaries_refused, "Stop; find the open route before any restored workload starts.", "isolation.md#canaries"),
    Check("sandbox_owned", "isolation", None, Stage.ISOLATE, "Does every sandbox namespace carry owner, expiry and bounds?",
          quarantine.sandbox_owned, "Find who changed the namespace; start a new drill.", "isolation.md#ownership"),
    Check("no_manual_changes", "manual_changes", None, Stage.MEASURE, "Did nobody change the sandbox by hand?",
          manual.no_manual_changes, "Write the step down in the runbook and repeat the drill.", "isolation.md#manual-changes"))
