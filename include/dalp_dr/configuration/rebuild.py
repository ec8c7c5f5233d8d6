"""Would Git rebuild what ran, and is what Git renders really in the sandbox?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from dalp_dr.configuration.values import Difference, differences, digest
from dalp_dr.kubernetes_resources.restore import EXCLUDED_KINDS, left_out
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.environment import SourceNamespace
from dalp_dr.model.plan import DrillPlan, utc

# Rendered for the cluster or for Velero, never part of a restored namespace.
ELSEWHERE = (
    "backups.velero.io",
    "schedules.velero.io",
    "backupstoragelocations.velero.io",
    "namespaces",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
)


@dataclass(frozen=True)
class Rebuilt:
    """One namespace: the installed Helm release beside Git, and Git's rendering beside the sandbox.

    `release_*` are from the release Secret of production and empty where that is lost, `git_*` from the commit. `rendered` and `missing`:
    "Kind/name".
    """

    role: str
    release: str
    revision: int
    status: str
    chart: str
    release_chart_version: str
    git_chart_version: str
    release_values_sha256: str
    git_values_sha256: str
    value_differences: tuple[Difference, ...]
    rendered: tuple[str, ...]
    missing: tuple[str, ...]
    differing: tuple[str, ...]
    deployed_at: str = ""  # when Helm installed this revision, as it wrote it; empty in records of older versions
    superseded_by: int | None = None  # the revision in force when it was read, where that came after the incident


@dataclass(frozen=True)
class Configuration:
    """All namespaces at one commit."""

    commit: str
    namespaces: tuple[Rebuilt, ...]


def facts_from(
    plan: DrillPlan,
    commit: str,
    releases: Mapping[str, dict[str, Any] | None],
    values: Mapping[str, dict[str, Any]],
    charts: Mapping[str, dict[str, Any]],
    rendered: Mapping[str, Iterable[dict[str, Any]]],
    live: Mapping[str, Iterable[dict[str, Any]]],
) -> Configuration:
    """Per role: the decoded release (None where production is lost), the values and Chart.yaml of the commit, the
    manifests rendered from them, and the objects of the sandbox namespace. A role that lacks one of them is left out and
    counts as not answered."""
    complete = [r for r in plan.roles if all(r in part for part in (releases, values, charts, rendered, live))]
    return Configuration(
        commit,
        tuple(
            _rebuilt(plan, role, releases[role], values[role], charts[role], list(rendered[role]), list(live[role])) for role in complete
        ),
    )


def _rebuilt(
    plan: DrillPlan,
    role: str,
    release: dict[str, Any] | None,
    values: dict[str, Any],
    chart: dict[str, Any],
    rendered: list[dict[str, Any]],
    live: list[dict[str, Any]],
) -> Rebuilt:
    source = plan.environment.source.namespace(role)
    installed = values if release is None else release.get("config") or {}  # a lost one is compared with nothing
    have = {(o["kind"], o["metadata"]["name"]): o for o in live}
    wanted = {(m["kind"], m["metadata"]["name"]): m for m in rendered if _belongs(plan, role, source, m)}
    metadata = chart if release is None else release["chart"]["metadata"]
    return Rebuilt(
        role=role,
        release=source.release if release is None else release["name"],
        revision=0 if release is None else int(release["version"]),
        status="" if release is None else release["info"]["status"],
        chart=metadata["name"],
        release_chart_version="" if release is None else str(metadata["version"]),
        git_chart_version=str(chart["version"]),
        release_values_sha256="" if release is None else digest(installed),
        git_values_sha256=digest(values or {}),
        value_differences=differences(installed, values or {}),
        rendered=tuple(f"{kind}/{name}" for kind, name in sorted(wanted)),
        missing=tuple(f"{kind}/{name}" for kind, name in sorted(wanted) if (kind, name) not in have),
        differing=tuple(
            sorted(
                f"{kind}/{name}: {d.path}"
                for (kind, name), manifest in wanted.items()
                if (kind, name) in have
                for d in _shape_differences(source, manifest, have[kind, name])
            )
        ),
        deployed_at=deployed_at(release),
        superseded_by=(release or {}).get("superseded_by"),
    )


def deployed_at(release: dict[str, Any] | None) -> str:
    """When Helm installed a revision, RFC 3339; empty where it does not tell."""
    return str(((release or {}).get("info") or {}).get("last_deployed") or "")


def of_moment(revisions: Iterable[dict[str, Any]], moment: str) -> dict[str, Any] | None:
    """Of a release's revisions, newest first, the one that was installed at a moment; the newest where all are younger or
    tell no time: the check then says so."""
    found = list(revisions)
    chosen = next((r for r in found if (at := deployed_at(r)) and utc(at) <= utc(moment)), found[0] if found else None)
    return chosen if chosen is None or chosen is found[0] else {**chosen, "superseded_by": int(found[0]["version"])}


def _belongs(plan: DrillPlan, role: str, source: SourceNamespace, manifest: dict[str, Any]) -> bool:
    """Whether a rendered manifest must be found in the sandbox: no hook, of this namespace, of a kind and name that
    is restored."""
    metadata = manifest["metadata"]
    plural = kind_of(manifest)
    return not (
        "helm.sh/hook" in (metadata.get("annotations") or {})
        or metadata.get("namespace", source.name) != source.name
        or plural in EXCLUDED_KINDS
        or plural in ELSEWHERE
        or any(fnmatch(metadata["name"], pattern) for pattern in left_out(plan, role))
        or "cnpg.io/cluster" in (metadata.get("labels") or {})
    )


def kind_of(manifest: dict[str, Any]) -> str:
    """`plural.group` of a manifest, as Velero writes kinds."""
    kind, group = manifest["kind"].lower(), manifest["apiVersion"].rpartition("/")[0]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return f"{plural}.{group}" if group else plural


def _shape_differences(source: SourceNamespace, rendered: dict[str, Any], live: dict[str, Any]) -> tuple[Difference, ...]:
    """What a drill does not change: images, ports, ConfigMap data (declared rewrites left out) and the keys of
    Secrets."""
    rewritten = source.configuration.get(rendered["metadata"]["name"], {}) if rendered["kind"] == "ConfigMap" else {}
    return differences(_shape(rendered, set(rewritten)), _shape(live, set(rewritten)))


def _shape(thing: dict[str, Any], rewritten: set[str]) -> dict[str, Any]:
    spec, kind = thing.get("spec") or {}, thing["kind"]
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return {"image": {c["name"]: c["image"] for c in spec["template"]["spec"]["containers"]}}
    if kind == "CronJob":
        return {
            "image": {c["name"]: c["image"] for c in spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]},
            "schedule": spec["schedule"],
        }
    if kind == "Service":
        return {"port": {str(p["port"]): p.get("targetPort", p["port"]) for p in spec.get("ports") or ()}}
    if kind == "ConfigMap":
        return {"data": {k: v for k, v in (thing.get("data") or {}).items() if k not in rewritten}}
    if kind == "Secret":
        return {"key": dict.fromkeys(sorted({**(thing.get("data") or {}), **(thing.get("stringData") or {})}), "")}
    return {}


def release_values_match_git(facts: Configuration, plan: DrillPlan) -> CheckResult:
    """The installed release has the values and the chart version of the commit."""
    answered = {n.role for n in facts.namespaces}
    unknown = [f"{role}: release or Git could not be read" for role in plan.roles if role not in answered]
    wrong = [f"{n.role}: {d.path} is {d.left} in the release, {d.right} in Git" for n in facts.namespaces for d in n.value_differences]
    wrong += [
        f"{n.role}: chart {n.release_chart_version} installed, {n.git_chart_version} in Git"
        for n in facts.namespaces
        if n.release_chart_version != n.git_chart_version
    ]
    wrong += [f"{n.role}: release {n.release} is {n.status}" for n in facts.namespaces if not _in_force(n)]
    unknown += [
        f"{n.role}: revision {n.revision} was installed at {n.deployed_at}, after the incident, and no older one is kept"
        for n in facts.namespaces
        if n.deployed_at and utc(n.deployed_at) > utc(plan.incident_time)
    ]
    spoken = ", ".join(f"{n.role} revision {n.revision} of {n.deployed_at}" for n in facts.namespaces if n.deployed_at)
    if plan.configuration and facts.commit != plan.configuration.commit:
        wrong.append(f"compared with commit {facts.commit}, planned was {plan.configuration.commit}")
    return _judged(
        wrong,
        unknown,
        f"values and chart of {len(plan.roles)} releases as in Git at the commit in use",
        f"commit {facts.commit[:12]}, {len(wrong)} differences" + (f"; as installed at {plan.incident_time}: {spoken}" if spoken else ""),
    )


def _in_force(found: Rebuilt) -> bool:
    """Installed when it was read, or at the incident and replaced since."""
    return found.status == "deployed" or (found.status == "superseded" and found.superseded_by is not None)


def configuration_rebuilt(facts: Configuration, plan: DrillPlan) -> CheckResult:
    """Everything Git renders is in the sandbox, with the same images, ports, settings and Secret keys."""
    answered = {n.role for n in facts.namespaces}
    unknown = [f"{role}: not rendered or not listed" for role in plan.roles if role not in answered]
    unknown += [f"{n.role}: Git renders nothing for this namespace" for n in facts.namespaces if not n.rendered]
    wrong = [f"{n.role}: {name} is missing" for n in facts.namespaces for name in n.missing]
    wrong += [f"{n.role}: {name} differs from Git" for n in facts.namespaces for name in n.differing]
    count = sum(len(n.rendered) for n in facts.namespaces)
    return _judged(wrong, unknown, f"{count} rendered objects in the sandbox as Git has them", f"{len(wrong)} missing or different")


def _judged(wrong: list[str], unknown: list[str], expected: str, observed: str) -> CheckResult:
    if wrong or not unknown:
        return expect(not wrong, expected, observed, wrong + unknown)
    return inconclusive(expected, f"{len(unknown)} namespaces not answered", unknown)
