"""Schedules and location: green as the chart makes them, red for each damage."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.posture import schedules
from posture_sample import BACKUP, ENVIRONMENT, LOCATION, NOW, RELEASE, SCHEDULE, TIERS, a_schedule, changed, judged, red, said


def facts(
    found: list[Any] = TIERS,
    backups: list[Any] = [BACKUP],  # noqa: B006
    location: Any = LOCATION,
    release: Any = RELEASE,
    role: str = "app",
) -> schedules.ResourceBackups:
    return schedules.facts_from(ENVIRONMENT, role, found, backups, location, release, NOW)


def test_all_three_tiers_and_the_chart_s_settings_are_green() -> None:
    assert red(judged("resource_backups", facts())) == {}


def only(path: str, value: Any) -> list[Any]:
    return [changed(SCHEDULE, path, value), *TIERS[1:]]


DAMAGE = {
    "daily alone": (facts([SCHEDULE]), "retention_table_kept", "(hourly)"),
    "hourly kept too short": (facts([SCHEDULE, a_schedule("h", "0 * * * *", "24h0m0s"), TIERS[2]]), "retention_table_kept", "kept"),
    "paused": (facts([changed(s, "spec.paused", True) for s in TIERS]), "retention_table_kept", "no active schedule"),
    "invalid schedule": (
        facts([changed(s, "status.phase", "FailedValidation") for s in TIERS]),
        "retention_table_kept",
        "no active schedule",
    ),
    "another cron": (facts(only("spec.schedule", "0 3 * * *")), "chart_settings_live", "backup.schedule.cron"),
    "another ttl": (facts(only("spec.template.ttl", "48h0m0s")), "chart_settings_live", "backup.retention.days"),
    "no volumes": (facts(only("spec.template.defaultVolumesToFsBackup", False)), "chart_settings_live", "backup.includeAllPVCs"),
    "another selector": (
        facts(only("spec.template.labelSelector", {"matchLabels": {"app": "other"}})),
        "chart_settings_live",
        "backup.labelSelector",
    ),
    "paused by hand": (facts(only("spec.paused", True)), "chart_settings_live", "backup.schedule.paused"),
    "another provider": (facts(location=changed(LOCATION, "spec.provider", "azure")), "chart_settings_live", "backup.storage.provider"),
    "backups switched off": (facts(release=changed(RELEASE, "config.backup.enabled", False)), "chart_settings_live", "backup.enabled"),
    "schedule gone": (facts(TIERS[1:]), "chart_settings_live", "no schedule dalp-daily"),
    "events backed up": (facts(only("spec.template.excludedResources", ["events"])), "events_left_out", "events.events.k8s.io"),
    "namespace left out": (facts(only("spec.template.includedNamespaces", ["other"])), "namespaces_included", "dalp is not in"),
    "additional namespace left out": (
        facts(release=changed(RELEASE, "config.backup.additionalNamespaces", ["dalp-extra"])),
        "namespaces_included",
        "dalp-extra is not in",
    ),
    "failed backup": (facts(backups=[BACKUP, changed(BACKUP, "status.phase", "PartiallyFailed")]), "no_backup_failed", "PartiallyFailed"),
    "no backup ever": (facts(backups=[]), "no_backup_failed", "no backup ever"),
    "location unavailable": (facts(location=changed(LOCATION, "status.phase", "Unavailable")), "location_writable", "Unavailable"),
    "location read-only": (facts(location=changed(LOCATION, "spec.accessMode", "ReadOnly")), "location_writable", "ReadOnly"),
    "location elsewhere": (
        facts(location=changed(LOCATION, "spec.objectStorage.bucket", "other")),
        "location_writable",
        "not where the environment file looks",
    ),
    "velero stopped": (
        facts(location=changed(LOCATION, "status.lastValidationTime", "2026-10-06T03:00:00Z")),
        "location_writable",
        "Velero does not run",
    ),
    "never validated": (facts(location=changed(LOCATION, "status.lastValidationTime", ...)), "location_writable", "never"),
}


@pytest.mark.parametrize(("found", "check", "words"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_red(found: schedules.ResourceBackups, check: str, words: str) -> None:
    results = judged("resource_backups", found)
    assert red(results).get(check) == "fail"
    assert words in said(results[check])


UNKNOWN = {
    "no such values": (facts(release=changed(changed(RELEASE, "config", {}), "chart.values", {})), "chart_settings_live"),
    "one value missing": (facts(release=changed(RELEASE, "chart.values.backup.retention", {})), "chart_settings_live"),
    "cron unreadable": (facts([changed(SCHEDULE, "spec.schedule", "whenever")]), "retention_table_kept"),
    "ttl unreadable": (facts([changed(SCHEDULE, "spec.template.ttl", "a month")]), "retention_table_kept"),
}


@pytest.mark.parametrize(("found", "check"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_read_is_not_green(found: schedules.ResourceBackups, check: str) -> None:
    assert red(judged("resource_backups", found))[check] in {"inconclusive", "fail"}


def test_an_old_failure_is_no_finding_any_more() -> None:
    old = changed(changed(BACKUP, "status.phase", "Failed"), "status.startTimestamp", "2026-10-04T02:00:00Z")
    assert "no_backup_failed" not in red(judged("resource_backups", facts(backups=[BACKUP, old])))


def test_a_backup_that_failed_validation_never_started_and_counts() -> None:
    bad = changed(changed(BACKUP, "status.phase", "FailedValidation"), "status.startTimestamp", ...)
    assert red(judged("resource_backups", facts(backups=[BACKUP, bad])))["no_backup_failed"] == "fail"


def test_observability_needs_its_own_tier_only() -> None:
    daily = changed(
        a_schedule("dalp-observability-daily", "0 3 * * *", "72h0m0s"), "spec.template.includedNamespaces", ["dalp-observability"]
    )
    results = judged("resource_backups", facts([daily], role="observability"))
    assert "retention_table_kept" not in red(results)
    short = changed(daily, "spec.template.ttl", "24h0m0s")
    assert red(judged("resource_backups", facts([short], role="observability")))["retention_table_kept"] == "fail"


def test_an_environment_s_own_table_wins() -> None:
    from dalp_dr.model.watch import Tier

    posture = ENVIRONMENT.posture.model_copy(update={"tiers": {"app": (Tier(name="daily", every_hours=24, keep_hours=720),)}})
    environment = ENVIRONMENT.model_copy(update={"posture": posture})
    assert [t.name for t in schedules.tiers(environment, "app")] == ["daily"]
    assert [t.name for t in schedules.tiers(environment, "support")] == ["hourly", "daily", "weekly"]


def test_values_are_merged_as_helm_does() -> None:
    found = schedules.effective(changed(RELEASE, "config.backup.retention", {"days": 7}), "backup")
    assert found is not None
    assert (found["enabled"], found["retention"]["days"], found["storage"]["provider"]) == (True, 7, "s3")
