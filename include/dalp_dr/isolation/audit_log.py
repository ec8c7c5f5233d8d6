"""What a drill's identities really called, by the API server's audit log, against what they are granted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dalp_dr.errors import InputError
from dalp_dr.isolation.permissions import DRILL_NAMESPACE, Grant, Rule, grants, username
from dalp_dr.isolation.privileges import Access
from dalp_dr.model.environment import Environment

SANDBOX = "(a sandbox namespace)"
REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")  # questions about oneself, which everybody may ask
WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Call:
    """One request of one of our identities that the API server let through. `changed`: it stored something."""

    access: Access
    changed: bool


@dataclass(frozen=True)
class Comparison:
    """`unnamed`: called, and in no rule. `uncalled`: in a rule that every drill should need, and not called."""

    calls: int
    unnamed: tuple[str, ...]
    uncalled: tuple[str, ...]


def calls(lines: Iterable[str], environment: Environment) -> Iterator[Call]:
    """From the lines of an audit log (one JSON event each). Raises InputError on a line that is none."""
    ours = {username(a): a for a in {g.account for g in grants(environment)}}
    for line in lines:
        try:
            event = json.loads(line)
            who = ours.get(event["user"].get("username", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{line[:80]!r} is no event of an audit log.", "Give the API server's own file, JSON format.") from error
        if who and event.get("stage") == "ResponseComplete" and event.get("objectRef") and _let_through(event):
            yield Call(_access(event, who, environment), _changed(event))


def _let_through(event: dict[str, Any]) -> bool:
    """401 and 403 never got there; what admission refused (422 of a policy) was never done either."""
    return (event.get("responseStatus") or {}).get("code") not in (401, 403, 422)


def _access(event: dict[str, Any], who: str, environment: Environment) -> Access:
    place = event["objectRef"]
    namespace = place.get("namespace", "")
    if place["resource"] == "namespaces" or not namespace:
        return Access(
            who, event["verb"], place.get("apiGroup", ""), place["resource"], place.get("subresource", ""), "", place.get("name", "")
        )
    inside = namespace.startswith(environment.sandbox.namespace_prefix)
    return Access(
        who,
        event["verb"],
        place.get("apiGroup", ""),
        place["resource"],
        place.get("subresource", ""),
        SANDBOX if inside else namespace,
        place.get("name", ""),
    )


def _changed(event: dict[str, Any]) -> bool:
    dry = "dryRun=" in event.get("requestURI", "")
    done = (event.get("responseStatus") or {}).get("code", 500) < 300
    return event["verb"] in WRITES and event["objectRef"].get("apiGroup") not in REVIEWS and done and not dry


def written(lines: Iterable[str], environment: Environment) -> tuple[str, ...]:
    """Every write of our identities that was stored outside of the lease: what a refused drill must not have."""
    found = {str(c.access) for c in calls(lines, environment) if c.changed and not _lease(c.access)}
    return tuple(sorted(found))


def _lease(access: Access) -> bool:
    return (access.group, access.resource, access.namespace) == ("coordination.k8s.io", "leases", DRILL_NAMESPACE)


def compare(lines: Iterable[str], environment: Environment) -> Comparison:
    """A whole drill's calls against the rules, both ways."""
    made = [c.access for c in calls(lines, environment)]
    rules = [(g, r) for g in grants(environment) for r in g.rules]
    asked = {a for a in made if a.group not in REVIEWS}
    unnamed = sorted({str(a) for a in asked if not any(_allows(g, r, a, environment) for g, r in rules)})
    uncalled = [line for g, r in rules if not r.when for line in _uncalled(g, r, asked, environment)]
    return Comparison(len(made), tuple(unnamed), tuple(uncalled))


def _allows(grant: Grant, rule: Rule, access: Access, environment: Environment) -> bool:
    kind = access.resource + (f"/{access.subresource}" if access.subresource else "")
    place = SANDBOX if not grant.bound else grant.namespace
    here = place is None or place == access.namespace or (grant.namespace is not None and access.namespace == "" and access.name == place)
    return (
        grant.account == access.identity
        and here
        and rule.group in ("*", access.group)
        and ("*" in rule.resources or kind in rule.resources)
        and access.verb in rule.verbs
        and (not rule.names or access.name in rule.names)
    )


def _uncalled(grant: Grant, rule: Rule, asked: set[Access], environment: Environment) -> Iterator[str]:
    for resource in rule.resources:
        for verb in rule.verbs:
            one = Rule(rule.group, (resource,), (verb,), rule.reason, rule.names)
            if not any(_allows(grant, one, a, environment) for a in asked):
                yield f"{grant.account}: {verb} {resource}{f'.{rule.group}' if rule.group else ''} in {_place(grant)}"


def _place(grant: Grant) -> str:
    return (grant.namespace or "the cluster") if grant.bound else SANDBOX
