"""What each identity of a drill may do and why: one table, from which the RBAC manifests and the preflight questions
come.

Two identities. The source reader only gets and lists. The drill writes in sandbox namespaces, through a RoleBinding
it makes there itself, and besides that only Restores and their helpers in Velero's namespace and its lease.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dalp_dr.model.environment import Environment, SourceNamespace

DRILL_NAMESPACE = "dalp-dr"
DRILL_ACCOUNT = "drill"
READER_ACCOUNT = "source-reader"
JANITOR_ACCOUNT = "janitor"
SANDBOX_ROLE = "dalp-dr-sandbox"
FIELD_MANAGER = "dalp-dr"
RELEASE_REVISIONS = 30  # Helm release Secrets carry their revision in the name; RBAC has no patterns

READ = ("get", "list")
FOLLOW = ("get", "list", "watch")
CNPG, BARMAN, VELERO, RBAC = "postgresql.cnpg.io", "barmancloud.cnpg.io", "velero.io", "rbac.authorization.k8s.io"

Side = Literal["source", "sandbox"]


@dataclass(frozen=True)
class Rule:
    """One rule of a role. `names` empty: every object of the kind. `since`: the checklist from which on it is asked for.

    `when` is empty for what every drill calls, else it says who or what needs the permission besides.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    reason: str
    names: tuple[str, ...] = ()
    since: int = 1
    when: str = ""


@dataclass(frozen=True)
class Grant:
    """One role of one identity. `namespace` None: cluster-wide. `bound` False: bound by the drill itself, per
    sandbox."""

    role: str
    account: str
    side: Side
    namespace: str | None
    reason: str
    rules: tuple[Rule, ...] = field(default=())
    bound: bool = True


def username(account: str) -> str:
    """How the API server names the account."""
    return f"system:serviceaccount:{DRILL_NAMESPACE}:{account}"


def release_secrets(release: str) -> tuple[str, ...]:
    """Names of the Secrets that may hold a Helm release, newest revision first."""
    return tuple(f"sh.helm.release.v1.{release}.v{revision}" for revision in range(RELEASE_REVISIONS, 0, -1))


def grants(environment: Environment) -> tuple[Grant, ...]:
    """Everything both identities are given in this environment."""
    return (
        _cluster_of_source(),
        *(_source_namespace(n) for n in environment.source.namespaces),
        _velero_reader(environment),
        _cluster_of_sandbox(environment),
        _velero_drill(environment),
        _operator_reader(environment),
        _api_address(),
        _lease(),
        _sandbox(),
    )


def _cluster_of_source() -> Grant:
    return Grant(
        "dalp-dr-source-cluster",
        READER_ACCOUNT,
        "source",
        None,
        "Tell the source cluster from any other, and how its volumes can be backed up.",
        (
            Rule(
                "",
                ("namespaces",),
                ("get",),
                "The uid of kube-system is the cluster's identity for the guard.",
                ("kube-system",),
            ),
            Rule(
                "storage.k8s.io", ("storageclasses", "csidrivers"), ("list",), "Whether a volume could be backed up by snapshot.", since=2
            ),
        ),
    )


def _source_namespace(namespace: SourceNamespace) -> Grant:
    return Grant(
        "dalp-dr-source-reader",
        READER_ACCOUNT,
        "source",
        namespace.name,
        "Read what production looks like, to compare the restored namespace with it. No write, no exec, no Secret but the Helm release.",
        (
            Rule("", ("namespaces",), ("get",), "Labels of the namespace itself."),
            Rule(
                "",
                ("pods", "services", "configmaps", "persistentvolumeclaims", "serviceaccounts"),
                READ,
                "Needs of the sandbox (requests, claims), targets of the canaries, coverage of the backup.",
            ),
            Rule("apps", ("deployments", "statefulsets", "daemonsets"), READ, "Workloads the backup must hold."),
            Rule("batch", ("cronjobs", "jobs"), READ, "Schedules that must be suspended in the sandbox."),
            Rule(
                "networking.k8s.io",
                ("ingresses", "networkpolicies"),
                READ,
                "Hosts that must not come back as they are.",
            ),
            Rule("policy", ("poddisruptionbudgets",), READ, "Coverage of the backup."),
            Rule(
                CNPG,
                ("clusters", "backups", "scheduledbackups"),
                READ,
                "System identifier, base backups and their schedule.",
            ),
            Rule(BARMAN, ("objectstores",), READ, "Where the archive is and who writes to it."),
            Rule(
                "",
                ("secrets",),
                ("get",),
                "Values and chart version of the installed Helm release; no other Secret.",
                release_secrets(namespace.release),
            ),
        ),
    )


def _velero_reader(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-source-reader",
        READER_ACCOUNT,
        "source",
        environment.source.velero_namespace,
        "Choose the backups and see that the backup system works.",
        (
            Rule(
                VELERO,
                ("backups", "schedules", "backupstoragelocations", "podvolumebackups", "restores"),
                READ,
                "Recovery points, their volumes, the location's state, and whether Velero is busy.",
            ),
            Rule("apps", ("deployments", "daemonsets"), READ, "Version of Velero and whether its node agents run."),
        ),
    )


def _cluster_of_sandbox(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        None,
        "Make and remove sandbox namespaces. Admission policies hold each write to names with the sandbox prefix.",
        (
            Rule(
                "",
                ("namespaces",),
                ("get", "list", "watch", "create", "patch", "delete"),
                "Sandbox namespaces; admission refuses any other name.",
            ),
            Rule(
                RBAC,
                ("rolebindings",),
                ("get", "create", "patch"),
                f"Bind itself to {SANDBOX_ROLE} in a sandbox; admission refuses other namespaces and subjects.",
            ),
            Rule(
                RBAC,
                ("clusterroles",),
                ("bind",),
                "The only role it may hand out, and only to itself.",
                (SANDBOX_ROLE,),
            ),
            Rule("", ("nodes", "pods"), ("list",), "Free capacity before anything is made."),
            Rule("", ("persistentvolumes",), READ, "Prove that the sandbox's volumes are gone afterwards."),
            Rule("storage.k8s.io", ("storageclasses",), READ, "Whether claims can be provisioned."),
            Rule(
                "scheduling.k8s.io",
                ("priorityclasses",),
                ("get",),
                "Drill pods must yield to production.",
                (environment.sandbox.priority_class,),
            ),
        ),
    )


def _velero_drill(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        environment.source.velero_namespace,
        "Run Restores into the sandbox. Admission policies look at each of them.",
        (
            Rule(VELERO, ("restores",), ("get", "list", "watch", "create", "delete"), "The restore itself."),
            Rule(
                VELERO,
                ("podvolumerestores",),
                ("get", "list", "watch", "patch"),
                "Progress of each volume; patch is for cancelling a stuck one.",
            ),
            Rule(
                VELERO,
                ("downloadrequests",),
                ("get", "watch", "create", "delete"),
                "Velero's own list of what it restored, and its warnings.",
            ),
            Rule(
                VELERO,
                ("backups", "backupstoragelocations", "podvolumebackups"),
                FOLLOW,
                "What the restore reads from, as this cluster's Velero sees it.",
            ),
            Rule(VELERO, ("serverstatusrequests",), ("get", "create"), "Velero's own word on its version."),
            Rule("", ("configmaps",), ("get", "create", "delete"), "Resource modifiers and the policy of each Restore."),
            Rule("", ("configmaps",), ("list",), "Teardown looks for settings whose Restore was never made.", since=2),
            Rule("apps", ("deployments", "daemonsets"), READ, "Whether Velero and its node agents run."),
        ),
    )


def _operator_reader(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        environment.sandbox.routes.operator_namespace,
        "See that the database operator runs.",
        (Rule("apps", ("deployments",), READ, "Version and readiness of CloudNativePG and its plugin."),),
    )


def _api_address() -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        "default",
        "Find the API server as network policies see it.",
        (
            Rule(
                "discovery.k8s.io",
                ("endpointslices",),
                ("get",),
                "Address and port behind the Service kubernetes.",
                ("kubernetes",),
            ),
            Rule("", ("endpoints",), ("get",), "The same on clusters that name the slice otherwise.", ("kubernetes",)),
        ),
    )


def _lease() -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        DRILL_NAMESPACE,
        "One drill at a time.",
        (
            Rule(
                "coordination.k8s.io",
                ("leases",),
                ("get", "list", "create", "update", "patch", "delete"),
                "The lease of the running drill.",
            ),
        ),
    )


def _sandbox() -> Grant:
    return Grant(
        SANDBOX_ROLE,
        DRILL_ACCOUNT,
        "sandbox",
        None,
        "Everything a drill does inside one sandbox namespace; bound there and nowhere else.",
        (
            Rule("*", ("*",), FOLLOW, "The inventory must also see what nobody expects."),
            Rule(
                "",
                ("pods", "configmaps", "services", "secrets"),
                ("create", "update", "patch", "delete"),
                "Probes and gateway of ours, sealed credentials, removal of held pods.",
            ),
            Rule(
                "",
                ("pods/exec", "pods/portforward", "services/proxy"),
                ("get", "create"),
                "Read volumes' bytes, ask restored services and the restored database.",
            ),
            Rule("", ("persistentvolumeclaims",), ("delete",), "Teardown."),
            Rule("", ("resourcequotas", "limitranges"), ("create", "update", "patch", "delete"), "Bounds of the sandbox."),
            Rule(
                "apps",
                ("deployments", "statefulsets"),
                ("create", "update", "patch", "delete"),
                "The gateway of ours; hold, release and remove restored workloads.",
            ),
            Rule("apps", ("deployments/scale", "statefulsets/scale"), ("update", "patch"), "Hold and release."),
            Rule(
                "networking.k8s.io",
                ("networkpolicies",),
                ("create", "update", "patch", "delete"),
                "Default-deny, and the routes that stages open and close.",
            ),
            Rule(CNPG, ("clusters",), ("create", "update", "patch", "delete"), "The recovered database."),
            Rule(BARMAN, ("objectstores",), ("create", "update", "patch", "delete"), "Read-only view of the archive."),
        ),
        bound=False,
    )
