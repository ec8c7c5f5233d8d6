"""Writes the draft: what was found as values, what is a guess or a choice as a line that begins with `# QUESTION:`.

The draft is a valid environment file in form. `environment check` refuses it while a question is open: whoever answers one
deletes its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from dalp_dr.discovery.found import ORDER, Found, FoundDatabase, FoundNamespace

MARK = "# QUESTION:"
NEEDED = ("api", "dapp", "worker", "indexer")
UNKNOWN = "unknown"


def open_questions(text: str) -> tuple[tuple[int, str], ...]:
    """(line, question) of every question that nobody has answered."""
    return tuple((n, line.split(MARK, 1)[1].strip()) for n, line in enumerate(text.splitlines(), 1) if MARK in line)


def roles(found: Found) -> dict[str, str]:
    """Namespace -> role: app for the database's, else a word of its name."""
    home = found.databases[0].namespace if found.databases else (found.namespaces[0].name if found.namespaces else "")
    named: dict[str, str] = {}
    for space in found.namespaces:
        word = "".join(c for c in space.name.rsplit("-", 1)[-1] if c.isalpha())[:14] or "other"
        role = "app" if space.name == home else word
        while role in named.values() or len(role) < 2:
            role = f"{role}x"[-14:]
        named[space.name] = role
    return named


def _q(value: object) -> str:
    """A YAML value; JSON is YAML."""
    return json.dumps(value)


def render(found: Found, name: str) -> str:
    """The draft as text."""
    return "\n".join(_lines(found, name)) + "\n"


def _lines(found: Found, name: str) -> Iterator[str]:
    known = roles(found)
    yield f"# Draft of environment {name}, from what the cluster shows. A line with a question is open: answer it, then delete the line."
    yield f"# Then: python -m dalp_dr environment check {name}.yaml. Every field is explained in docs/how-to/environment.md."
    yield from ("version: 1", f"name: {name}")
    yield f"{MARK} same cluster as production, or a separate one (recommended)?"
    yield "cluster: separate"
    yield f"{MARK} which bucket holds the evidence? It must be none of the backups' and have object lock."
    yield f"evidence_bucket: {_q(name + '-evidence')}"
    yield from _source(found, known)
    yield from _sandbox()
    yield from _database(found.databases)
    yield from _objects()
    yield from _services(found, known)
    yield from _observability(found, known)
    yield from _rest(found, known)


def _source(found: Found, known: dict[str, str]) -> Iterator[str]:
    yield from ("", "source:")
    if found.bucket is None:
        yield f"  {MARK} no BackupStorageLocation was seen: where are the backups?"
    yield f"  backup_location: {_q(found.location or 'default')}"
    yield f"  backup_bucket: {_q(found.bucket or UNKNOWN)}"
    yield f"  backup_prefix: {_q(found.prefix)}"
    yield "  namespaces:"
    for space in found.namespaces:
        yield from _namespace(space, known[space.name], found)


def _namespace(space: FoundNamespace, role: str, found: Found) -> Iterator[str]:
    yield f"    - name: {_q(space.name)}"
    yield f"      role: {role}"
    if space.schedule is None:
        yield f"      {MARK} no schedule backs this namespace up. Which one should?"
    yield f"      schedule: {_q(space.schedule or UNKNOWN)}"
    yield "      backup_max_age_hours: 26"
    if space.release is None:
        yield f"      {MARK} no Helm release was seen. Its name?"
    yield f"      release: {_q(space.release or UNKNOWN)}"
    if space.secrets:
        yield f"      {MARK} every Secret that pods use is sealed. Which of them does a restored service really need as it is?"
        yield "      seal_secrets: {" + ", ".join(f"{_q(s)}: {{}}" for s in space.secrets) + "}"
    if any(d.namespace == space.name for d in found.databases):
        yield f"      {MARK} which Secret holds the archive's write key? It must not be restored."
        yield "      leave_out: []"
    if space.hosts:
        yield f"      # hosts of its Ingresses, rewritten in the sandbox: {', '.join(space.hosts)}"


def _sandbox() -> Iterator[str]:
    yield from ("", "sandbox:")
    yield f"  {MARK} an image with Python 3 that the sandbox cluster can pull?"
    yield "  probe_image: docker.io/library/python:3.12-slim"
    yield f"  {MARK} custody host, webhook receivers and mail host that the sandbox must not reach?"
    yield "  canaries:"
    yield "    - {name: custody host, address: custody.invalid, port: 443}"


def _database(found: tuple[FoundDatabase, ...]) -> Iterator[str]:
    yield from ("", "database:")
    if not found:
        yield f"  {MARK} no CloudNativePG cluster was seen. Is the database elsewhere?"
    if len(found) > 1:
        yield f"  {MARK} there are {len(found)} clusters ({', '.join(d.cluster for d in found)}). Is this the application's?"
    one = found[0] if found else FoundDatabase("unknown", "unknown", "unknown", "10Gi", "app", "app", "unknown", "", "unknown")
    if not one.bucket:
        yield f"  {MARK} this cluster archives nowhere that was seen. Where is its archive?"
    for field, value in (
        ("cluster", one.cluster),
        ("namespace", one.namespace),
        ("archive_bucket", one.bucket or UNKNOWN),
        ("archive_prefix", one.prefix),
        ("server_name", one.server_name),
        ("image", one.image),
        ("database", one.database),
        ("owner", one.owner),
        ("storage", one.storage or "10Gi"),
    ):
        yield f"  {field}: {_q(value)}"
    yield f"  {MARK} which tables must a restored database have?"
    yield "  required_tables: []"


def _objects() -> Iterator[str]:
    yield from ("", f"{MARK} which buckets and prefixes hold the documents that rows of the database name?")
    yield from ("object_storage:", f"  - {{name: {UNKNOWN}, prefixes: [uploads/]}}")


def _services(found: Found, known: dict[str, str]) -> Iterator[str]:
    yield from ("", f"{MARK} what each service serves, its health path and its order are guesses from its name: right?", "services:")
    for s in sorted(found.services, key=lambda s: (ORDER[s.serves], s.namespace, s.name)):
        yield (
            f"  - {{name: {_q(s.name)}, role: {known[s.namespace]}, workload: {_q(s.workload)}, service: {_q(s.service)}, "
            f"port: {s.port}, order: {ORDER[s.serves]}, serves: {s.serves}}}"
        )
    for missing in (w for w in NEEDED if w not in {s.serves for s in found.services}):
        yield f"  {MARK} which service is the {missing}?"
        yield (
            f"  - {{name: {UNKNOWN}-{missing}, workload: deployment/{UNKNOWN}, service: {UNKNOWN}, port: 8080, order: 3, "
            f"serves: {missing}}}"
        )


def _observability(found: Found, known: dict[str, str]) -> Iterator[str]:
    role = next((r for n, r in known.items() if "observ" in n or "monitor" in n), next(iter(known.values()), "app"))
    home = next((s for s in found.services if known[s.namespace] == role), None)
    yield from ("", f"{MARK} one known metric, log line and trace, and how the telemetry store is asked for each?", "observability:")
    yield f"  role: {role}"
    yield f"  workload: {_q(home.workload if home else 'statefulset/unknown')}"
    yield f"  service: {_q(home.service if home else UNKNOWN)}"
    yield f"  port: {home.port if home else 9090}"
    yield "  signals:"
    yield from (f"    - {{kind: {kind}, path: /, contains: {UNKNOWN}}}" for kind in ("metric", "log", "trace"))


def _rest(found: Found, known: dict[str, str]) -> Iterator[str]:
    yield from ("", f"{MARK} the network's chain id, and the hash of its block 0?", "chain: {chain_id: 1}")
    yield from ("", f"{MARK} where in Git are values file and chart of each release?", "configuration:")
    for part, folder, end in (("values", "values", ".yaml"), ("charts", "charts", "")):
        yield f"  {part}: {{" + ", ".join(f"{known[s.name]}: {folder}/{s.release or s.name}{end}" for s in found.namespaces) + "}"
    yield from ("", f"{MARK} which RTO, RTT and RPO were approved, by whom and when?", "targets:")
    yield from ("  rto_seconds: 14400", "  rtt_seconds: 28800")
    yield "  rpo_seconds: {database: 300, kubernetes_resources: 86400, object_storage: 300, observability: 86400, configuration: 300}"
    yield from ("  approved_by: nobody", '  approved_on: "2000-01-01"', "  version: draft")
    yield from ("", f"{MARK} who signs off, by the name of their Airflow login?", "owners:", "  - {user: nobody, name: Nobody}")
