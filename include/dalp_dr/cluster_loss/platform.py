"""Does the recovery cluster have what the releases need: operators at their recorded versions, and the APIs they serve?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.configuration.rebuild import kind_of
from dalp_dr.errors import FactError
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan


@dataclass(frozen=True)
class Operator:
    """One operator as Git records it and as the recovery cluster has it. `found` is None where it is not there at all."""

    name: str
    workload: str  # namespace/kind/name
    recorded: str
    found: str | None
    ready: int
    wanted: int


@dataclass(frozen=True)
class Platform:
    """The recorded platform at one commit beside the recovery cluster. APIs are "<plural>.<group>/<version>"."""

    commit: str
    cluster_uid: str
    cluster_created_at: str
    operators: tuple[Operator, ...]
    apis: tuple[str, ...]
    missing_apis: tuple[str, ...]


@dataclass(frozen=True)
class Rendering:
    """What Git renders for one role, and the APIs of it that the recovery cluster does not serve."""

    role: str
    objects: int
    unserved: tuple[str, ...]


@dataclass(frozen=True)
class Renderings:
    """All roles at one commit."""

    commit: str
    roles: tuple[Rendering, ...]


def recorded(document: object) -> tuple[list[dict[str, str]], list[str]]:
    """(operators, APIs) of a platform file. Raises FactError when it is not one."""
    try:
        parts: Mapping[str, Any] = document  # type: ignore[assignment]
        operators = [{key: str(o[key]) for key in ("name", "namespace", "workload", "version")} for o in parts["operators"]]
        apis = [str(api) for api in parts["apis"]]
        well = all(o["workload"].split("/")[0] in ("deployment", "daemonset") for o in operators) and all(
            "." in a and "/" in a for a in apis
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise FactError(f"The platform file in Git lacks {error}.", "Write it as docs/how-to/annual-test.md shows.") from None
    if not well:
        raise FactError(
            "The platform file in Git names a workload or an API in another form.", "Write it as docs/how-to/annual-test.md shows."
        )
    return operators, apis


def version_of(workload: Mapping[str, Any]) -> str:
    """Tag of the first container's image; the digest where it has one."""
    image = str(workload["spec"]["template"]["spec"]["containers"][0]["image"])
    return image.rpartition("@")[2] if "@" in image else image.rpartition("/")[2].partition(":")[2] or image


def replicas(workload: Mapping[str, Any]) -> tuple[int, int]:
    """(ready, wanted) of a Deployment or a DaemonSet."""
    status = workload.get("status") or {}
    if workload["kind"] == "DaemonSet":
        return int(status.get("numberReady") or 0), int(status.get("desiredNumberScheduled") or 0)
    return int(status.get("readyReplicas") or 0), int(workload["spec"].get("replicas", 1))


def api_of(manifest: Mapping[str, Any]) -> str:
    """`<plural>.<group>/<version>` of a manifest; core kinds have no group."""
    return f"{kind_of(dict(manifest))}/{str(manifest['apiVersion']).rpartition('/')[2]}"


def rendering(role: str, manifests: Iterable[Mapping[str, Any]], served: Iterable[str]) -> Rendering:
    """What of a role's manifests the cluster could take. `served`: every API that it serves."""
    apis, known = [api_of(m) for m in manifests], set(served)
    return Rendering(role, len(apis), tuple(sorted(set(apis) - known)))


def operators_rebuilt(facts: Platform, plan: DrillPlan) -> CheckResult:
    """Each recorded operator runs in the recovery cluster, at its recorded version, with all its replicas."""
    expected = f"{len(facts.operators)} operators at the versions that Git records, all replicas ready"
    if not facts.operators:
        return inconclusive("operators at the versions that Git records", "Git records none")
    wrong = [f"{o.name}: {o.workload} is not there" for o in facts.operators if o.found is None]
    wrong += [f"{o.name}: {o.found}, recorded is {o.recorded}" for o in facts.operators if o.found not in (None, o.recorded)]
    wrong += [f"{o.name}: {o.ready} of {o.wanted} ready" for o in facts.operators if o.found and not 0 < o.wanted <= o.ready]
    wrong += _other_commit(facts.commit, plan)
    return expect(not wrong, expected, f"{len(facts.operators)} looked at, {len(wrong)} findings", wrong)


def apis_served(facts: Platform, plan: DrillPlan) -> CheckResult:
    """The recovery cluster serves every recorded API, so that what the releases and the backups hold can be made there."""
    if not facts.apis:
        return inconclusive("the APIs that Git records", "Git records none")
    wrong = [f"{api} is not served" for api in facts.missing_apis] + _other_commit(facts.commit, plan)
    return expect(not wrong, f"{len(facts.apis)} recorded APIs served", f"{len(facts.apis) - len(facts.missing_apis)} served", wrong)


def configuration_renders(facts: Renderings, plan: DrillPlan) -> CheckResult:
    """Git renders every release at the commit in use, and the recovery cluster serves every kind that comes out."""
    rendered = {r.role: r for r in facts.roles}
    unknown = [f"{role}: not rendered" for role in plan.roles if role not in rendered or not rendered[role].objects]
    wrong = [f"{r.role}: {api} is not served" for r in facts.roles for api in r.unserved] + _other_commit(facts.commit, plan)
    expected = f"{len(plan.roles)} releases rendered from Git, every kind served by the recovery cluster"
    if wrong or not unknown:
        return expect(not wrong, expected, f"{sum(r.objects for r in facts.roles)} objects, {len(wrong)} findings", wrong)
    return inconclusive(expected, f"{len(unknown)} not answered", unknown)


def _other_commit(commit: str, plan: DrillPlan) -> list[str]:
    planned = plan.configuration.commit if plan.configuration else "none"
    return [] if commit == planned else [f"looked at commit {commit}, planned was {planned}"]
