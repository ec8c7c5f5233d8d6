"""Facts and checks about how a bucket keeps its versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.errors import FactError
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Bucket
from dalp_dr.model.plan import DrillPlan


@dataclass(frozen=True)
class ExpiryRule:
    """An enabled lifecycle rule that removes noncurrent versions. `prefix` is empty for the whole bucket.

    `narrowed`: the rule looks at tags or sizes too, so that it covers some of the prefix's objects.
    """

    id: str
    prefix: str
    noncurrent_days: int
    keeps_newer: int | None
    narrowed: bool


@dataclass(frozen=True)
class BucketProtection:
    """Versioning and lifecycle of one bucket. `versioning` is None when it was never switched on."""

    bucket: str
    prefixes: tuple[str, ...]
    versioning: str | None
    rules: tuple[ExpiryRule, ...]


def facts_from(plan: DrillPlan, bucket: str, versioning: Mapping[str, Any], lifecycle: Mapping[str, Any] | None) -> BucketProtection:
    """The facts of kind `bucket_protection`, from S3's GetBucketVersioning and GetBucketLifecycleConfiguration."""
    return BucketProtection(
        bucket=bucket,
        prefixes=named(plan, bucket).prefixes,
        versioning=versioning.get("Status"),
        rules=tuple(_rules((lifecycle or {}).get("Rules") or ())),
    )


def named(plan: DrillPlan, bucket: str) -> Bucket:
    """The environment's entry for a bucket. Raises FactError."""
    found = next((b for b in plan.environment.object_storage if b.name == bucket), None)
    if found is None:
        raise FactError(f"Bucket {bucket} is not in the environment file.", "Add it to object_storage.")
    return found


def _rules(rules: Any) -> Iterator[ExpiryRule]:
    for rule in rules:
        expiry = rule.get("NoncurrentVersionExpiration") or {}
        if rule.get("Status") != "Enabled" or "NoncurrentDays" not in expiry:
            continue
        chosen = rule.get("Filter") or {}
        both = chosen.get("And") or {}
        narrowed = any(key in part for part in (chosen, both) for key in ("Tag", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan"))
        prefix = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
        yield ExpiryRule(
            id=str(rule.get("ID") or "without id"),
            prefix=prefix,
            noncurrent_days=int(expiry["NoncurrentDays"]),
            keeps_newer=expiry.get("NewerNoncurrentVersions"),
            narrowed=narrowed,
        )


def judge_versioning(facts: BucketProtection, plan: DrillPlan) -> CheckResult:
    """Only `Enabled` proves that an overwritten or deleted object can be had back."""
    return expect(facts.versioning == "Enabled", f"versioning of {facts.bucket}: Enabled", facts.versioning or "never switched on")


def judge_horizon(facts: BucketProtection, plan: DrillPlan) -> CheckResult:
    """No lifecycle rule removes noncurrent versions before the database's recoverable window has passed them."""
    bucket = named(plan, facts.bucket)
    days = max(bucket.noncurrent_days, plan.environment.database.pitr_window_days)
    expected = f"noncurrent versions of {', '.join(facts.prefixes)} are kept at least {days} days"
    if facts.versioning is None:
        return failed(expected, "there are no versions: versioning was never switched on")
    short = [(r, p) for r in facts.rules for p in facts.prefixes if _overlap(r.prefix, p) and r.noncurrent_days < days]
    told = [
        f"rule {r.id}: {r.noncurrent_days} days for {r.prefix or 'the whole bucket'}, which covers {'some of ' if r.narrowed else ''}{p}"
        for r, p in short
    ]
    if told:
        certain = any(not r.narrowed for r, _ in short)
        return failed(expected, told[0], told) if certain else inconclusive(expected, told[0], told)
    covering = [r.noncurrent_days for r in facts.rules if any(_overlap(r.prefix, p) for p in facts.prefixes)]
    return expect(True, expected, f"kept {min(covering)} days" if covering else "kept for ever: no rule removes them")


def _overlap(rule: str, prefix: str) -> bool:
    return rule.startswith(prefix) or prefix.startswith(rule)
