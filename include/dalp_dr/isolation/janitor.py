"""What the janitor may do: look for what drills left, delete it, and hold the lease while it does. It makes and reads nothing else.

It has no access to production and none to what is inside a sandbox: a namespace goes as a whole. An admission policy holds it to
objects that carry all ownership labels, whatever a defect of ours would ask for.
"""

from __future__ import annotations

from dalp_dr.isolation.permissions import DRILL_NAMESPACE, JANITOR_ACCOUNT, VELERO, Grant, Rule
from dalp_dr.model.environment import Environment

ROLE = "dalp-dr-janitor"


def grants(environment: Environment) -> tuple[Grant, ...]:
    """Everything the janitor is given in the sandbox's cluster."""
    return (_cluster(), _velero(environment), _lease())


def _cluster() -> Grant:
    return Grant(
        ROLE,
        JANITOR_ACCOUNT,
        "sandbox",
        None,
        "Remove expired sandboxes and prove that their volumes are gone.",
        (
            Rule("", ("namespaces",), ("get", "list", "delete"), "Sandboxes; admission refuses any other namespace."),
            Rule("", ("persistentvolumes",), ("get", "list"), "Volumes that outlive their sandbox are named."),
        ),
    )


def _velero(environment: Environment) -> Grant:
    return Grant(
        ROLE,
        JANITOR_ACCOUNT,
        "sandbox",
        environment.source.velero_namespace,
        "Remove the Restores of dead drills, with their settings.",
        (
            Rule(VELERO, ("restores",), ("get", "list", "delete"), "Restores that nobody waits for any more."),
            Rule("", ("configmaps",), ("get", "list", "delete"), "Their modifiers and policies."),
            Rule(VELERO, ("podvolumerestores",), ("get", "list", "patch"), "Cancel a transfer that holds up everybody's next Restore."),
        ),
    )


def _lease() -> Grant:
    return Grant(
        ROLE,
        JANITOR_ACCOUNT,
        "sandbox",
        DRILL_NAMESPACE,
        "No drill goes on while its sandbox is removed.",
        (
            Rule(
                "coordination.k8s.io",
                ("leases",),
                ("get", "create", "update", "delete"),
                "See whose drill is alive, and hold the lease while removing.",
            ),
        ),
    )
