"""What of production would reach the sandbox: Secrets in clear, and values that lead back to production.

Asked twice. In preflight of the backup, after the declared rewrites have been applied to it in thought: a drill that would
bring something undeclared is refused before anything is made. And of the sandbox itself before any service starts.
Names of objects, keys and hosts are kept; values never are.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dalp_dr import naming
from dalp_dr.kubernetes_resources.inventory import excluded, is_database
from dalp_dr.kubernetes_resources.restore import Contents, acting_annotations, rewritten
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

_HOST = re.compile(r"[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?)+")
TEMPLATES = {  # kind -> where its pods' template is
    "Deployment": ("template",),
    "StatefulSet": ("template",),
    "DaemonSet": ("template",),
    "CronJob": ("jobTemplate", "spec", "template"),
}
NOT_ASKED = ("image", "imagePullPolicy")  # the kubelet pulls images; the sandbox's pods do not


@dataclass(frozen=True)
class ClearSecret:
    """A Secret that is neither sealed nor declared; the names of its keys, never a value."""

    name: str
    type: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """One place that names production: `object` is `Kind/name`, `host` what it names, `why` how that is production's."""

    object: str
    field: str
    host: str
    why: str


@dataclass(frozen=True)
class Exposure:
    """One namespace. `looked_at`: the backup's name, or `sandbox`. `objects`, `secrets`: how many were looked at.

    `kept` and `kept_references` are those that the environment file declares, with its reason.
    """

    role: str
    looked_at: str
    objects: int
    secrets: int
    clear: tuple[ClearSecret, ...]
    kept: dict[str, str]
    references: tuple[Reference, ...]
    kept_references: dict[str, str]
    annotations: tuple[str, ...]


@dataclass(frozen=True)
class Production:
    """Names and addresses that are production's: hosts of its Ingresses and those the environment names, addresses of its Services."""

    hosts: frozenset[str]
    addresses: frozenset[str]


def production(plan: DrillPlan, contents: Iterable[Contents]) -> Production:
    """From the backups of all covered namespaces and the environment file."""
    held, hosts, addresses = list(contents), set(plan.environment.source.production_hosts), set()
    for found in held:
        for item in found.get("ingresses.networking.k8s.io", {}).values():
            spec = item.get("spec") or {}
            hosts |= {r["host"] for r in spec.get("rules") or [] if r.get("host")}
            hosts |= {h for t in spec.get("tls") or [] for h in t.get("hosts") or []}
        for item in found.get("services", {}).values():
            addresses |= {str(a) for a in _addresses(item.get("spec") or {}) if a not in (None, "", "None")}
    return Production(frozenset(h.lower().removeprefix("*.") for h in hosts), frozenset(addresses))


def _addresses(spec: dict[str, Any]) -> Iterator[Any]:
    yield spec.get("clusterIP")
    for field in ("clusterIPs", "externalIPs"):
        yield from spec.get(field) or ()
    yield spec.get("loadBalancerIP")


def predicted(plan: DrillPlan, role: str, contents: Contents) -> list[dict[str, Any]]:
    """The backup's objects of this namespace as the restore will make them: without what it leaves out, with every rewrite."""
    source = plan.environment.source.namespace(role)
    return [
        rewritten(plan, role, item)
        for kind_group, objects in contents.items()
        for key, item in objects.items()
        if key.startswith(f"{source.name}/") and not excluded(kind_group, item, plan, role)
    ]


def facts_from(plan: DrillPlan, role: str, looked_at: str, objects: Iterable[dict[str, Any]], known: Production) -> Exposure:
    """From whole objects: those of `predicted`, or the sandbox namespace's as the API server lists them."""
    source = plan.environment.source.namespace(role)
    asked = [o for o in objects if not _ours(o) and not is_database(o, plan, role)]
    secrets = [o for o in asked if o["kind"] == "Secret"]
    clear, kept = [], {}
    for item in secrets:
        name = item["metadata"]["name"]
        reason = _declared(source.keep_secrets, name)
        if not item.get("data") or _sealed(plan, role, item):
            continue
        if reason is not None:
            kept[name] = reason
        else:
            clear.append(ClearSecret(name, str(item.get("type", "")), tuple(sorted(item["data"]))))
    found = [r for item in asked for r in _references(plan, role, item, known)]
    declared = {r: reason for r in found if (reason := _declared(source.keep_references, r.object)) is not None}
    return Exposure(
        role=role,
        looked_at=looked_at,
        objects=len(asked),
        secrets=len(secrets),
        clear=tuple(sorted(clear, key=lambda c: c.name)),
        kept=dict(sorted(kept.items())),
        references=tuple(sorted((r for r in found if r not in declared), key=lambda r: (r.object, r.field, r.host))),
        kept_references={f"{r.object} {r.field}": reason for r, reason in declared.items()},
        annotations=tuple(sorted(f"{_name(o)} {a}" for o in asked for a in acting_annotations(o))),
    )


def _name(item: dict[str, Any]) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def _ours(item: dict[str, Any]) -> bool:
    return (item["metadata"].get("labels") or {}).get(naming.LABEL_OWNED) == naming.OWNER


def _declared(names: dict[str, str], name: str) -> str | None:
    return next((reason for pattern, reason in names.items() if fnmatchcase(name, pattern)), None)


def _sealed(plan: DrillPlan, role: str, secret: dict[str, Any]) -> bool:
    """Every value is the dummy that the environment file gives it; or the drill has put its own read-only key there."""
    source, name = plan.environment.source.namespace(role), secret["metadata"]["name"]
    if name not in (*source.seal_secrets, *source.object_read_secrets):
        return False
    given = (secret["metadata"].get("annotations") or {}).get(naming.LABEL_DRILL) == plan.drill_id
    return (given and name in source.object_read_secrets) or secret["data"] == rewritten(plan, role, secret)["data"]


def _references(plan: DrillPlan, role: str, item: dict[str, Any], known: Production) -> Iterator[Reference]:
    namespaces = {n.name for n in plan.environment.source.namespaces}
    secret = item["kind"] == "Secret"
    if secret and _sealed(plan, role, item):
        return
    for field, text in _texts(item):
        for host in dict.fromkeys(_HOST.findall(text.lower())):
            why = _whose(host, namespaces, known)
            if why:
                yield Reference(_name(item), field, "a host" if secret else host, why)


def _whose(host: str, namespaces: set[str], known: Production) -> str | None:
    labels = host.split(".")
    inside = next((n for n, after in zip(labels[1:], [*labels[2:], "svc"], strict=True) if n in namespaces and after == "svc"), None)
    if inside:
        return f"source namespace {inside}"
    if host in known.addresses:
        return "address of a Service of production"
    return "host of production" if any(host == h or host.endswith(f".{h}") for h in known.hosts) else None


def _texts(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, text) of everything in an object that a service reads: settings, credentials, templates, outside names."""
    kind, spec = item["kind"], item.get("spec") or {}
    if kind == "Secret":
        yield from ((f"data.{k}", _decoded(v)) for k, v in (item.get("data") or {}).items())
    elif kind == "ConfigMap":
        yield from ((f"data.{k}", str(v)) for k, v in (item.get("data") or {}).items())
        yield from ((f"binaryData.{k}", _decoded(v)) for k, v in (item.get("binaryData") or {}).items())
    elif kind == "Service":
        yield from (("spec.externalName", str(spec[k])) for k in ("externalName",) if spec.get(k))
        yield from (("spec.externalIPs", str(a)) for a in spec.get("externalIPs") or ())
    elif kind == "Ingress":
        yield from (("spec.rules.host", r["host"]) for r in spec.get("rules") or [] if r.get("host"))
        yield from (("spec.tls.hosts", h) for t in spec.get("tls") or [] for h in t.get("hosts") or [])
    elif kind in TEMPLATES:
        for step in TEMPLATES[kind]:
            spec = spec.get(step) or {}
        yield from _strings("template", spec.get("spec") or {})
    elif kind == "Pod" and not item["metadata"].get("ownerReferences"):
        yield from _strings("spec", spec)


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(str(value)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return str(value)


def _strings(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in NOT_ASKED:
                yield from _strings(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            named = inner.get("name") if isinstance(inner, dict) else None
            yield from _strings(f"{path}[{named or place}]", inner)


def judge_secrets(facts: Exposure, plan: DrillPlan) -> CheckResult:
    """Every Secret is sealed, or the environment file says why it may come as it is."""
    expected = "every Secret is sealed by a dummy or named in keep_secrets with a reason"
    if not facts.objects:
        return inconclusive(expected, f"{facts.looked_at}: no object was looked at")
    findings = [f"{facts.role}: Secret/{c.name} ({c.type or 'no type'}; keys {', '.join(c.keys)}) comes in clear" for c in facts.clear]
    return expect(not findings, expected, f"{facts.secrets} Secrets, {len(facts.kept)} kept, {len(findings)} undeclared", findings)


def judge_references(facts: Exposure, plan: DrillPlan) -> CheckResult:
    """No setting, credential, template or annotation of a restored object leads to production or acts on its names."""
    expected = "no restored object names a source namespace, a host or an address of production"
    if not facts.objects:
        return inconclusive(expected, f"{facts.looked_at}: no object was looked at")
    findings = [f"{facts.role}: {r.object} {r.field} names {r.host} ({r.why})" for r in facts.references]
    findings += [f"{facts.role}: {a} acts outside" for a in facts.annotations]
    return expect(not findings, expected, f"{facts.objects} objects, {len(facts.kept_references)} kept, {len(findings)} found", findings)
