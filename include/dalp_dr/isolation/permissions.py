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
WATCH = "the watch between drills"
REBUILD = "a recovery cluster after the loss of production's"
AGAIN = "a Restore that a restart of Velero ended is tried again"
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
        *(_source_namespace(n, environment.database.namespace) for n in environment.source.namespaces),
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
                "storage.k8s.io",
                ("storageclasses", "csidrivers"),
                ("list",),
                "Whether a volume could be backed up by snapshot.",
                since=2,
                when=WATCH,
            ),
        ),
    )


def _source_namespace(namespace: SourceNamespace, database: str) -> Grant:
    return Grant(
        "dalp-dr-source-reader",
        READER_ACCOUNT,
        "source",
        namespace.name,
        "Read what production looks like, to compare the restored namespace with it. No write, no exec, no Secret but the Helm release.",
        (
            Rule(
                "",
                ("pods", "services", "persistentvolumeclaims"),
                ("list",),
                "Needs of the sandbox (requests, claims), targets of the canaries.",
            ),
            Rule("", ("configmaps", "serviceaccounts"), ("list",), "Coverage of the backup.", when=WATCH),
            Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("list",), "Workloads the backup must hold.", when=WATCH),
            Rule("batch", ("cronjobs", "jobs"), ("list",), "Schedules the backup must hold.", when=WATCH),
            Rule("networking.k8s.io", ("ingresses", "networkpolicies"), ("list",), "Coverage of the backup.", when=WATCH),
            Rule("policy", ("poddisruptionbudgets",), ("list",), "Coverage of the backup.", when=WATCH),
            *(_database_reader() if namespace.name == database else ()),
            Rule(
                "",
                ("secrets",),
                ("get",),
                "Values and chart version of the installed Helm release; no other Secret.",
                release_secrets(namespace.release),
            ),
        ),
    )


def _database_reader() -> tuple[Rule, ...]:
    return (
        Rule(CNPG, ("clusters",), ("get",), "System identifier and timeline of the source."),
        Rule(CNPG, ("backups",), ("list",), "Which base backups are production's own."),
        Rule(CNPG, ("scheduledbackups",), ("list",), "Whether base backups are still made.", when=WATCH),
        Rule(BARMAN, ("objectstores",), ("list",), "Where the archive is and who writes to it.", when=WATCH),
    )


def _velero_reader(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-source-reader",
        READER_ACCOUNT,
        "source",
        environment.source.velero_namespace,
        "Choose the backups and see that the backup system works.",
        (
            Rule(VELERO, ("backups",), READ, "Recovery points, and whether Velero is busy."),
            Rule(VELERO, ("schedules",), ("list",), "Whether backups are still made."),
            Rule(VELERO, ("backupstoragelocations",), ("get",), "Whether Velero reaches the bucket.", when=WATCH),
            Rule("apps", ("deployments",), ("get",), "Whether Velero runs, and its version.", ("velero",), since=2, when=WATCH),
            Rule("apps", ("daemonsets",), ("get",), "Whether its node agents run.", ("node-agent",), since=2, when=WATCH),
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
            Rule("", ("namespaces",), ("get", "list", "create", "delete"), "Sandbox namespaces; admission refuses any other name."),
            Rule(
                RBAC,
                ("rolebindings",),
                ("get", "create"),
                f"Bind itself to {SANDBOX_ROLE} in a sandbox; admission refuses other namespaces and subjects.",
            ),
            Rule(
                RBAC,
                ("clusterroles",),
                ("bind",),
                "The only role it may hand out, and only to itself.",
                (SANDBOX_ROLE,),
                when="the API server asks for it when a RoleBinding is made",
            ),
            Rule("", ("nodes", "pods"), ("list",), "Free capacity before anything is made."),
            Rule("", ("persistentvolumes",), ("list",), "Prove that the sandbox's volumes are gone afterwards."),
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
            Rule(VELERO, ("restores",), ("get", "list", "create", "delete"), "The restore itself."),
            Rule(VELERO, ("podvolumerestores",), ("list",), "Progress of each volume."),
            Rule(VELERO, ("podvolumerestores",), ("patch",), "Cancel it.", when="a Restore that does not end"),
            Rule(VELERO, ("backupstoragelocations",), ("get",), "What the restore reads from, as this cluster's Velero sees it."),
            Rule(VELERO, ("backups",), READ, "The backups that this cluster's Velero knows.", when=REBUILD),
            Rule("", ("configmaps",), ("get", "create", "delete"), "Resource modifiers and the policy of each Restore."),
            Rule("", ("configmaps",), ("list",), "Teardown looks for settings whose Restore was never made.", since=2),
            Rule("apps", ("deployments",), ("get",), "Whether the Velero that restores runs, and its version.", ("velero",), since=2),
            Rule("apps", ("daemonsets",), ("get",), "Whether its node agents run.", ("node-agent",), since=2),
            Rule("apps", ("deployments", "daemonsets"), ("get",), "Whether Velero and its node agents run.", when=REBUILD),
        ),
    )


def _operator_reader(environment: Environment) -> Grant:
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        environment.sandbox.routes.operator_namespace,
        "See that the database operator runs.",
        (Rule("apps", ("deployments",), ("get",), "Version and readiness of CloudNativePG and its plugin.", when=REBUILD),),
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
        ),
    )


def _lease() -> Grant:
    group = "coordination.k8s.io"
    return Grant(
        "dalp-dr-drill",
        DRILL_ACCOUNT,
        "sandbox",
        DRILL_NAMESPACE,
        "One drill at a time.",
        (
            Rule(group, ("leases",), ("get", "create", "delete"), "The lease of the running drill."),
            Rule(group, ("leases",), ("update",), "Take it over.", when="a lease that has run out, or a drill that goes on after it has"),
        ),
    )


def _sandbox() -> Grant:
    read = "Read volumes' bytes, ask restored services and the restored database."
    return Grant(
        SANDBOX_ROLE,
        DRILL_ACCOUNT,
        "sandbox",
        None,
        "Everything a drill does inside one sandbox namespace; bound there and nowhere else.",
        (
            Rule("*", ("*",), READ, "The inventory must also see what nobody expects."),
            Rule("", ("pods",), ("create", "delete"), "Probes of ours; removal of held pods."),
            Rule("", ("configmaps", "services"), ("create",), "The gateway of ours."),
            Rule("", ("secrets",), ("create", "patch"), "Read-only keys, in place of production's."),
            Rule("", ("pods/exec", "pods/portforward"), ("get",), read),
            Rule("", ("pods/exec", "pods/portforward"), ("create",), read, when="API servers from 1.35 on ask for it beside get"),
            Rule("", ("resourcequotas", "limitranges"), ("create",), "Bounds of the sandbox."),
            Rule("apps", ("deployments",), ("create",), "The gateway of ours."),
            Rule("apps", ("deployments", "statefulsets"), ("patch",), "Hold and release restored workloads."),
            Rule("apps", ("deployments", "statefulsets"), ("delete",), "Removal of what an interrupted restore made.", when=AGAIN),
            Rule("", ("persistentvolumeclaims",), ("delete",), "Removal of what an interrupted restore made.", when=AGAIN),
            Rule(
                "networking.k8s.io", ("networkpolicies",), ("create", "delete"), "Default-deny, and the routes that stages open and close."
            ),
            Rule(CNPG, ("clusters",), ("create",), "The recovered database."),
            Rule(BARMAN, ("objectstores",), ("create",), "Read-only view of the archive."),
        ),
        bound=False,
    )
