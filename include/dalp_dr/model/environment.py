"""The environment document: one deployment, its sandbox, what must be found in it, its targets and its owners.

A person writes it (`include/environments/*.yaml`); `model.environment_file` reads it. Every name, port, path, table and
SQL text is here, with the defaults of a DALP 3 chart, because the chart is not public and deployments differ.
Source and sandbox are two types: nothing that accepts one accepts the other.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dalp_dr.model.document import Document
from dalp_dr.model.watch import Calendar, Posture

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")]
Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]


class SourceNamespace(Document):
    """One namespace of production, how it is backed up, and the Helm release that made it."""

    name: Name
    role: Annotated[str, Field(pattern=r"^[a-z]{2,14}$")]  # ends the sandbox namespace's name: app, support ...
    schedule: str  # Velero Schedule
    backup_max_age_hours: Annotated[float, Field(gt=0)]
    release: str  # Helm release
    seal_secrets: dict[str, dict[str, str]] = {}  # every value replaced by a dummy, or by the one named here for its key
    # Sealed too; before start the named keys get the read-only object storage key: {secret: {key: access_key | secret_key}}.
    object_read_secrets: dict[str, dict[str, Literal["access_key", "secret_key"]]] = {}
    leave_out: tuple[str, ...] = ()  # names that must not be restored (the database's own objects, its write key)
    configuration: dict[str, dict[str, str]] = {}  # ConfigMap name -> keys rewritten for the sandbox
    optional_differences: tuple[str, ...] = ()  # "Kind/name" that may differ from the backup
    keep_secrets: dict[str, str] = {}  # Secrets (name or pattern) that may come as they are -> why they open nothing
    keep_references: dict[str, str] = {}  # "Kind/name" (or pattern) that may name production -> why that leads nowhere


class Source(Document):
    """Production. Only ever read."""

    namespaces: Annotated[tuple[SourceNamespace, ...], Field(min_length=1)]
    velero_namespace: Name = "velero"
    backup_location: str = "default"
    backup_bucket: str
    backup_prefix: str = ""
    velero_wait_minutes: Annotated[float, Field(ge=0)] = 10  # others' restores and backups are waited for, then the drill steps back
    production_hosts: tuple[str, ...] = ()  # further names of production that nothing in the sandbox may hold

    def namespace(self, role: str) -> SourceNamespace:
        return next(n for n in self.namespaces if n.role == role)


class Quota(Document):
    """Bounds of one sandbox namespace; each volume restore costs 100m CPU and 128Mi on top of the workloads."""

    cpu: str = "4"
    memory: str = "6Gi"
    pods: int = 40


class Route(Document):
    """One address the sandbox may reach."""

    address: str
    port: Annotated[int, Field(gt=0, lt=65536)]


FROM_CONNECTION = Route(address="from-connection", port=1)  # replaced when the plan is made


class Routes(Document):
    """Everything a sandbox pod may reach beside DNS and its own namespace; nothing else.

    An address left out is taken from the Airflow connection (the API server's from its endpoints) when the plan is made.
    """

    kubernetes_api: Route = FROM_CONNECTION
    backup_store: Route = FROM_CONNECTION
    object_storage: Route = FROM_CONNECTION
    rpc: Route = FROM_CONNECTION
    operator_namespace: Name = "cnpg-system"
    operator_labels: dict[str, str] = {"app.kubernetes.io/name": "cloudnative-pg"}


class Canary(Document):
    """An address that must be refused from inside the sandbox. `covers`: what production reaches there."""

    name: str
    address: str
    port: Annotated[int, Field(gt=0, lt=65536)]
    covers: tuple[Literal["custody", "webhook", "mail", "bucket", "production"], ...] = ()


class Sandbox(Document):
    """The isolated side. The only one ever written."""

    namespace_prefix: Annotated[str, Field(pattern=r"^[a-z][-a-z0-9]{2,20}-$")] = "dalp-drill-"
    probe_image: str
    priority_class: str = "dalp-drill"
    expires_after_hours: Annotated[float, Field(gt=0, le=720)] = 24
    quota: Quota = Quota()
    routes: Routes = Routes()
    canaries: Annotated[tuple[Canary, ...], Field(min_length=1)]
    drill_host_suffix: str = "drill.invalid"


class Database(Document):
    """The CloudNativePG cluster, its archive and what the restored database must show."""

    cluster: Name
    namespace: Name
    archive_bucket: str
    archive_prefix: str = ""
    archive_endpoint: str | None = None
    server_name: str
    image: str
    database: str
    owner: str
    storage: str
    postgres_uid: int = 26
    postgres_gid: int = 26
    parameters: dict[str, str] = {}
    base_backup_max_age_hours: Annotated[float, Field(gt=0)] = 26
    pitr_window_days: Annotated[int, Field(gt=0)] = 30
    required_tables: tuple[str, ...] = ()
    index_check_gib: Annotated[float, Field(ge=0)] = 32  # B-tree indexes compared with all rows; more than this: a seeded sample
    comparison_gib: Annotated[float, Field(gt=0)] = 8  # of production's tables read for the comparison with the copy; more: a seeded sample


class Bucket(Document):
    """A versioned bucket whose objects rows of the database name."""

    name: str
    prefixes: Annotated[tuple[str, ...], Field(min_length=1)]
    noncurrent_days: Annotated[int, Field(gt=0)] = 90


class Service(Document):
    """A DALP service: where it runs, how it tells its health, and when it may start."""

    name: Name
    role: str = "app"  # which namespace
    workload: Annotated[str, Field(pattern=r"^(deployment|statefulset)/[-a-z0-9.]+$")]
    service: Name
    port: Annotated[int, Field(gt=0, lt=65536)]
    ready_path: str = "/health/ready"
    order: Annotated[int, Field(ge=0)]  # lower starts first; workers and whatever has side effects last
    database_session: str | None = None  # application_name it must show in the sandbox's pg_stat_activity
    serves: Literal["api", "dapp", "worker", "indexer", "gateway", "other"]


class Signal(Document):
    """Something known to be in the observability data: a request to its service and a text its answer must contain."""

    kind: Literal["metric", "log", "trace"]
    path: str
    contains: str


class Observability(Document):
    """Where the restored telemetry is asked, and for what."""

    role: str = "observability"
    workload: str
    service: Name
    port: int
    signals: Annotated[tuple[Signal, ...], Field(min_length=3)]


class Role(Document):
    """A right in a token's contract that the platform needs, and who must hold it.

    Either `getter`, the selector of a function that answers the one holder's address, or `role`, the identifier that
    `hasRole(bytes32,address)` is asked with.
    """

    name: str
    getter: Annotated[str, Field(pattern=r"^0x[0-9a-f]{8}$")] | None = None
    role: Hex32 | None = None
    contract: str | None = None  # None: every token
    holders: tuple[str, ...] = ()  # empty: who signs the platform's transactions

    @model_validator(mode="after")
    def one_way(self) -> Role:
        """How the holder is asked for."""
        if (self.getter is None) == (self.role is None):
            raise ValueError(f"role {self.name}: give either getter or role")
        return self


class Chain(Document):
    """The EVM network that restored state is compared with."""

    chain_id: Annotated[int, Field(gt=0)]
    genesis_hash: Hex32 | None = None  # None: both RPC nodes must at least agree; then the check says so
    max_lag_blocks: Annotated[int, Field(ge=0)] = 20
    tokens: tuple[str, ...] = ()  # empty: every token of the index
    finality: Literal["sealed", "finalized"] | Annotated[int, Field(gt=0)] = "finalized"  # sealed: QBFT; a number: confirmations
    token_code_sha256: tuple[str, ...] = ()  # of the code the tokens may have; empty: both RPC nodes must at least agree
    roles: tuple[Role, ...] = ()


class Configuration(Document):
    """Helm values in Git."""

    branch: str = "main"
    values: dict[str, str]  # role -> path of the values file
    charts: dict[str, str]  # role -> path of the chart
    platform: str | None = None  # path of the file that records the operators and APIs a cluster must have; docs/how-to/annual-test.md


class Escrow(Document):
    """Production's Secrets, sealed for a custodian, where the loss of the cluster does not reach them."""

    bucket: str
    key: str  # an object: CMS enveloped data (RFC 5652) around a Kubernetes List of Secrets


class Targets(Document):
    """What the deployment promises itself; a drill is measured against it. Approved before the run."""

    rto_seconds: Annotated[int, Field(gt=0)]
    rtt_seconds: Annotated[int, Field(gt=0)]
    rpo_seconds: dict[
        Literal["database", "kubernetes_resources", "object_storage", "observability", "configuration"], Annotated[int, Field(gt=0)]
    ]
    approved_by: Annotated[str, Field(min_length=1)]
    approved_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]  # the day
    version: str


class RouteHost(Document):
    """A public host of the drill. `path`: a question that the restored stack answers otherwise than production, always alike."""

    host: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]*$")]
    service: Name
    path: Annotated[str, Field(pattern=r"^/")] = "/"


class RouteSwitch(Document):
    """How clients are moved to a restored stack, rehearsed on hosts that are the drill's alone."""

    kind: Literal["proxy", "http_route", "ingress"]  # proxy: an entrance with a mapping by host; the others: objects of Kubernetes
    dry_run: bool = True  # say what would change, and change nothing
    hosts: Annotated[tuple[RouteHost, ...], Field(min_length=1)]
    object: Annotated[str, Field(pattern=r"^[-a-z0-9.]+/[-a-z0-9.]+$")] | None = None  # namespace/name of the HTTPRoute or Ingress
    max_seconds: Annotated[int, Field(gt=0)] = 60  # from the change of the mapping until clients reach the other stack
    entrance_cidrs: tuple[str, ...] = ()  # where the entrance's requests come from
    entrance_namespace: str | None = None  # or which namespace its pods run in

    @model_validator(mode="after")
    def names_its_object(self) -> RouteSwitch:
        """An HTTPRoute or Ingress has a name, an entrance has none."""
        if (self.kind == "proxy") != (self.object is None):
            raise ValueError(f"route_switch.object: kind {self.kind} needs {'none' if self.kind == 'proxy' else 'namespace/name'}")
        return self


class Owner(Document):
    """Who may sign off: the user id as Airflow's identity provider gives it, and the owner's own key where there is one."""

    user: str
    name: str
    public_key: str | None = None  # ed25519, PEM; an answer signed with it is stronger than one of an account


class Connections(Document):
    """Airflow connection ids; they alone decide which outside a drill talks to."""

    source_kubernetes: str = "dalp_source_kubernetes"
    sandbox_kubernetes: str = "dalp_sandbox_kubernetes"
    janitor_kubernetes: str = "dalp_janitor_kubernetes"  # removes what dead drills left in the sandbox cluster
    backup_store: str = "dalp_backup_store"
    object_storage: str = "dalp_object_storage"
    sandbox_object_read: str = "dalp_sandbox_object_read"
    evidence_store: str = "dalp_evidence_store"
    rpc_primary: str = "dalp_rpc_primary"
    rpc_secondary: str = "dalp_rpc_secondary"
    api: str = "dalp_api"
    configuration_repository: str = "dalp_configuration_repository"
    evidence_signing: str = "dalp_evidence_signing"
    source_database: str | None = None  # a role that can only read; None: rows are not compared with production's
    report: str | None = None  # mail to the accountable team (SMTP); the annual test sends it
    escrow: str = "dalp_escrow"
    escrow_key: str = "dalp_escrow_key"
    route_control: str = "dalp_route_control"  # who may change the mapping of the public hosts
    public_entrance: str = "dalp_public_entrance"  # where clients of the public hosts arrive
    airflow_api: str = "dalp_airflow_api"  # who cleared tasks of a run is read from Airflow itself


class Environment(Document):
    """One deployment, described once for all drills."""

    version: Literal[1]
    name: Name
    description: str = ""
    profile: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]*$")] = "dalp-3.x"  # SQL texts in include/sql/<profile>/
    cluster: Literal["same", "separate"] = "same"
    evidence_bucket: str
    evidence_lock: Literal["COMPLIANCE", "GOVERNANCE", "NONE"] = "GOVERNANCE"
    evidence_retention_days: Annotated[int, Field(gt=0)] = 2557  # seven years
    source: Source
    sandbox: Sandbox
    database: Database
    object_storage: Annotated[tuple[Bucket, ...], Field(min_length=1)]
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    observability: Observability
    chain: Chain
    configuration: Configuration
    escrow: Escrow | None = None
    targets: Targets
    owners: Annotated[tuple[Owner, ...], Field(min_length=1)]
    accountable_team: str = ""
    route_switch: RouteSwitch | None = None  # None: no drill can include it
    connections: Connections = Connections()
    health_polls: Annotated[int, Field(ge=2)] = 5  # consecutive healthy answers before a service counts as healthy
    deadline_minutes: Annotated[int, Field(gt=0)] = 240
    restore_stall_seconds: Annotated[int, Field(ge=30)] = 1800  # a Velero restore in which nothing moves for so long has failed
    calendar: Calendar = Calendar()
    posture: Posture = Posture()

    @model_validator(mode="after")
    def consistent(self) -> Environment:
        """Cross-field rules; each message names the field to change."""
        names = {n.name for n in self.source.namespaces}
        roles = [n.role for n in self.source.namespaces]
        if len(set(roles)) != len(roles) or len(names) != len(roles):
            raise ValueError("source.namespaces: names and roles must each be different")
        if bad := sorted(n for n in names if n.startswith(self.sandbox.namespace_prefix)):
            raise ValueError(f"sandbox.namespace_prefix: source namespace {bad[0]} begins with it; choose another prefix")
        if self.database.namespace not in names:
            raise ValueError(f"database.namespace: {self.database.namespace} is not among source.namespaces")
        for label, role in [
            *((f"services[{s.name}].role", s.role) for s in self.services),
            ("observability.role", self.observability.role),
        ]:
            if role not in roles:
                raise ValueError(f"{label}: {role} is not the role of a source namespace")
        if missing := sorted({"api", "dapp", "worker", "indexer"} - {s.serves for s in self.services}):
            raise ValueError(f"services: no service has `serves: {missing[0]}`; the seed names API, dapp, workers and indexer")
        if missing := [
            s
            for s in ("database", "kubernetes_resources", "object_storage", "observability", "configuration")
            if s not in self.targets.rpo_seconds
        ]:
            raise ValueError(f"targets.rpo_seconds: {missing[0]} has no target")
        if self.evidence_bucket in {self.source.backup_bucket, self.database.archive_bucket}:
            raise ValueError("evidence_bucket: evidence must not share a bucket with the backups it speaks of")
        if {s.kind for s in self.observability.signals} != {"metric", "log", "trace"}:
            raise ValueError("observability.signals: name at least one metric, one log line and one trace")
        if self.connections.rpc_primary == self.connections.rpc_secondary:
            raise ValueError("connections.rpc_secondary: is rpc_primary; one node cannot confirm itself")
        if unknown := sorted({h.service for h in self.route_switch.hosts} - {s.name for s in self.services} if self.route_switch else ()):
            raise ValueError(f"route_switch.hosts: {unknown[0]} is not a service")
        self._nothing_needed_is_left_out()
        return self

    def _nothing_needed_is_left_out(self) -> None:
        """Names that are never restored would drop out of every check; none of them may be a service's or a sealed Secret's."""
        for place, source in enumerate(self.source.namespaces):
            needed = {w for s in self.services if s.role == source.role for w in (s.service, s.workload.split("/", 1)[1])}
            needed |= {*source.seal_secrets, *source.object_read_secrets, *source.configuration}
            patterns = [(f"source.namespaces[{place}].leave_out", pattern) for pattern in source.leave_out]
            if source.name == self.database.namespace:
                cluster = self.database.cluster
                patterns += [("database.cluster: its own objects are not restored with the rest", p) for p in (cluster, f"{cluster}-*")]
            for field, pattern in patterns:
                if hit := sorted(name for name in needed if fnmatchcase(name, pattern)):
                    raise ValueError(f"{field}: {pattern} would leave out {hit[0]}, which the drill needs")
