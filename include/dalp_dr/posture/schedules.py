"""Velero's schedules and location of one namespace beside the recovery page's table and the chart's own settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dalp_dr.kubernetes_resources.backups import SCHEDULE_LABEL
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.model.watch import OBSERVABILITY_TIERS, RESOURCE_TIERS, Tier
from dalp_dr.posture import cron
from dalp_dr.posture.reading import at, readable

BAD = {"Failed", "PartiallyFailed", "FailedValidation"}
EVENTS = ("events", "events.events.k8s.io")
VALIDATED_WITHIN = timedelta(hours=1)
VELERO_DEFAULT_TTL_HOURS = 720.0
PROVIDERS = {"s3": "aws", "aws": "aws", "azure": "azure", "gcp": "gcp", "gcs": "gcp"}  # chart's word -> Velero's


@dataclass(frozen=True)
class Schedule:
    """One Velero Schedule whose backups hold the namespace. `every_hours`: longest gap, None where its cron cannot be read."""

    name: str
    cron: str
    every_hours: float | None
    keep_hours: float | None
    paused: bool
    phase: str
    namespaces: tuple[str, ...]
    excluded: tuple[str, ...]
    selector: dict[str, str]
    file_system_backup: bool
    location: str


@dataclass(frozen=True)
class Location:
    """The BackupStorageLocation of production. `validated_at` is Velero's own last successful look, None where there was none."""

    name: str
    provider: str
    bucket: str
    prefix: str
    mode: str
    phase: str
    validated_at: str | None


@dataclass(frozen=True)
class ResourceBackups:
    """How one namespace is backed up.

    `settings`: the chart's effective backup values (defaults under the release's own), None where the release has none.
    `failed`: `name (phase) at time` of backups that ended badly within the watched hours; `completed`: how many ended well.
    """

    role: str
    namespace: str
    schedule: str
    schedules: tuple[Schedule, ...]
    location: Location
    settings: dict[str, Any] | None
    failed: tuple[str, ...]
    completed: int
    newest_completed_at: str | None
    newest_backup: str | None


def facts_from(
    environment: Environment,
    role: str,
    schedules: Iterable[Mapping[str, Any]],
    backups: Iterable[Mapping[str, Any]],
    location: Mapping[str, Any],
    release: Mapping[str, Any] | None,
    moment: str,
) -> ResourceBackups:
    """The facts of kind `resource_backups`, from Velero's objects and the decoded Helm release."""
    source = environment.source.namespace(role)
    own = [s for s in map(_schedule, schedules) if source.name in s.namespaces or "*" in s.namespaces or s.name == source.schedule]
    names = {s.name for s in own} | {source.schedule}
    mine = [b for b in backups if b["metadata"].get("labels", {}).get(SCHEDULE_LABEL) in names]
    since = utc(moment) - timedelta(hours=environment.posture.failures_within_hours)
    bad = [f"{b['metadata']['name']} ({_phase(b)}) at {_began(b)}" for b in mine if _phase(b) in BAD and utc(_began(b)) >= since]
    good = sorted((b for b in mine if _phase(b) == "Completed"), key=lambda b: str(b["status"].get("startTimestamp")))
    return ResourceBackups(
        role=role,
        namespace=source.name,
        schedule=source.schedule,
        schedules=tuple(sorted(own, key=lambda s: s.name)),
        location=_location(location),
        settings=effective(release, environment.posture.backup_values),
        failed=tuple(sorted(bad)),
        completed=len(good),
        newest_completed_at=good[-1]["status"].get("completionTimestamp") if good else None,
        newest_backup=good[-1]["metadata"]["name"] if good else None,
    )


def _phase(item: Mapping[str, Any]) -> str:
    return str((item.get("status") or {}).get("phase") or "")


def _began(backup: Mapping[str, Any]) -> str:
    return str((backup.get("status") or {}).get("startTimestamp") or backup["metadata"]["creationTimestamp"])


def _schedule(item: Mapping[str, Any]) -> Schedule:
    spec, template = item["spec"], item["spec"].get("template") or {}
    ttl = template.get("ttl")
    return Schedule(
        name=item["metadata"]["name"],
        cron=spec.get("schedule", ""),
        every_hours=readable(lambda: cron.longest_gap_hours(spec.get("schedule", ""))),
        keep_hours=readable(lambda: cron.hours(ttl)) if ttl else VELERO_DEFAULT_TTL_HOURS,
        paused=bool(spec.get("paused")),
        phase=_phase(item),
        namespaces=tuple(template.get("includedNamespaces") or ("*",)),
        excluded=tuple(template.get("excludedResources") or ()) + tuple(template.get("excludedNamespaceScopedResources") or ()),
        selector=dict((template.get("labelSelector") or {}).get("matchLabels") or {}),
        file_system_backup=bool(template.get("defaultVolumesToFsBackup")),
        location=template.get("storageLocation") or "",
    )


def _location(item: Mapping[str, Any]) -> Location:
    spec, status = item["spec"], item.get("status") or {}
    return Location(
        name=item["metadata"]["name"],
        provider=spec.get("provider", ""),
        bucket=(spec.get("objectStorage") or {}).get("bucket", ""),
        prefix=(spec.get("objectStorage") or {}).get("prefix", "").strip("/"),
        mode=spec.get("accessMode") or "ReadWrite",
        phase=status.get("phase", ""),
        validated_at=status.get("lastValidationTime"),
    )


def effective(release: Mapping[str, Any] | None, path: str) -> dict[str, Any] | None:
    """The chart's backup values as the release uses them; None where neither chart nor release has any."""
    if release is None:
        return None
    defaults, given = at((release.get("chart") or {}).get("values"), path), at(release.get("config"), path)
    if not isinstance(defaults, dict) and not isinstance(given, dict):
        return None
    return _merged(defaults if isinstance(defaults, dict) else {}, given if isinstance(given, dict) else {})


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Helm's rule: maps are merged, everything else is replaced, null removes."""
    both = {**under, **over}
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(under.get(key), Mapping):
            both[key] = _merged(under[key], value)
    return {key: value for key, value in both.items() if value is not None}


def tiers(environment: Environment, role: str) -> tuple[Tier, ...]:
    """What the environment or else the recovery page's table expects of a namespace."""
    default = OBSERVABILITY_TIERS if role == environment.observability.role else RESOURCE_TIERS
    return environment.posture.tiers.get(role) or default


def judge_tiers(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    """Every row of the table is kept by some schedule that runs often enough and keeps long enough."""
    wanted = tiers(plan.environment, facts.role)
    expected = ", ".join(f"{t.name} (every {t.every_hours:g} h) kept {t.keep_hours:g} h" for t in wanted)
    active = [s for s in facts.schedules if not s.paused and s.phase == "Enabled"]
    seen = ", ".join(f"{s.name}: every {s.every_hours or 0:g} h kept {s.keep_hours or 0:g} h" for s in active) or "no active schedule"
    if unread := [s.name for s in active if s.every_hours is None or s.keep_hours is None]:
        return inconclusive(expected, seen, [f"{name}: its cron or ttl cannot be read" for name in unread])
    missing = [
        f"no schedule backs {facts.namespace} up every {t.every_hours:g} h and keeps it {t.keep_hours:g} h ({t.name})"
        for t in wanted
        if not any((s.every_hours or 0) <= t.every_hours and (s.keep_hours or 0) >= t.keep_hours for s in active)
    ]
    return expect(not missing, expected, seen, missing)


def judge_settings(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    """The seven backup settings of the chart, as the release was installed, against the live Schedule and location."""
    expected = f"schedule {facts.schedule} and location {facts.location.name} as the chart's seven backup settings say"
    live = next((s for s in facts.schedules if s.name == facts.schedule), None)
    if facts.settings is None:
        return inconclusive(expected, f"the release has no values below {plan.environment.posture.backup_values}")
    if live is None:
        return failed(expected, f"no schedule {facts.schedule}")
    settings = facts.settings
    days = at(settings, "retention.days")
    provider = str(at(settings, "storage.provider"))
    rows: list[tuple[str, Any, Any]] = [
        ("backup.enabled", settings.get("enabled"), True),
        ("backup.storage.provider", PROVIDERS.get(provider, provider), facts.location.provider.rpartition("/")[2]),
        ("backup.schedule.cron", at(settings, "schedule.cron"), live.cron),
        ("backup.retention.days", float(days) * 24 if days is not None else None, live.keep_hours),
        ("backup.includeAllPVCs", settings.get("includeAllPVCs"), live.file_system_backup),
        ("backup.labelSelector.matchLabels", at(settings, "labelSelector.matchLabels"), live.selector),
        ("backup.schedule.paused", at(settings, "schedule.paused"), live.paused),
    ]
    absent = [f"{name}: the release has no such value" for name, wanted, _ in rows if wanted is None]
    wrong = [f"{name}: the chart says {wanted}, live is {found}" for name, wanted, found in rows if wanted is not None and wanted != found]
    seen = f"{len(rows) - len(wrong) - len(absent)} of {len(rows)} agree"
    if wrong:
        return failed(expected, seen, [*wrong, *absent])
    return inconclusive(expected, seen, absent) if absent else expect(True, expected, seen)


def judge_events(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    expected = f"every schedule of {facts.namespace} leaves out {' and '.join(EVENTS)}"
    missing = [f"{s.name} backs up {event}" for s in facts.schedules for event in EVENTS if event not in s.excluded]
    if not facts.schedules:
        return failed(expected, "no schedule")
    return expect(not missing, expected, f"{len(facts.schedules)} schedules, {len(missing)} kinds of events backed up", missing)


def judge_namespaces(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    """The release's own namespace and each additional one of the chart is in its schedule."""
    live = next((s for s in facts.schedules if s.name == facts.schedule), None)
    additional = tuple(str(n) for n in (facts.settings or {}).get("additionalNamespaces") or ())
    expected = f"schedule {facts.schedule} covers {', '.join((facts.namespace, *additional))}"
    if live is None:
        return failed(expected, f"no schedule {facts.schedule}")
    missing = [n for n in (facts.namespace, *additional) if n not in live.namespaces and "*" not in live.namespaces]
    return expect(not missing, expected, ", ".join(live.namespaces), [f"{n} is not in schedule {live.name}" for n in missing])


def judge_failures(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    """The recovery page: treat any backup failure as critical."""
    expected = f"no backup of {facts.namespace} failed within {plan.environment.posture.failures_within_hours:g} h"
    if not facts.failed and not facts.completed:
        return failed(expected, "no backup ever completed")
    return expect(not facts.failed, expected, f"{len(facts.failed)} failed, {facts.completed} completed are kept", facts.failed)


def judge_location(facts: ResourceBackups, plan: DrillPlan) -> CheckResult:
    """Available, writable, where the environment says, and looked at by Velero within the hour."""
    source, location = plan.environment.source, facts.location
    expected = f"location {location.name} Available and ReadWrite in {source.backup_bucket}/{source.backup_prefix}, seen within 1 h"
    findings = []
    if (location.phase, location.mode) != ("Available", "ReadWrite"):
        findings.append(f"{location.phase or 'no phase'}, {location.mode}")
    if (location.bucket, location.prefix) != (source.backup_bucket, source.backup_prefix.strip("/")):
        findings.append(f"it is {location.bucket}/{location.prefix}, which is not where the environment file looks")
    if location.validated_at is None or utc(plan.incident_time) - utc(location.validated_at) > VALIDATED_WITHIN:
        findings.append(f"last validated {location.validated_at or 'never'}: Velero does not run")
    return expect(not findings, expected, f"{location.phase or 'no phase'}, {location.mode}, validated {location.validated_at}", findings)
