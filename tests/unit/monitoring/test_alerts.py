"""Alerts as code: every recommended alert is there, leads to a runbook, speaks of metrics that exist, and has been seen to fire."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dalp_dr.posture import checks, metrics

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "include" / "monitoring"
DOCUMENT = yaml.safe_load((FOLDER / "prometheus-rules.yaml").read_text())
RULES: list[dict[str, Any]] = [rule for group in DOCUMENT["spec"]["groups"] for rule in group["rules"]]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "tests.yaml").read_text())["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
METRIC = re.compile(r"\b(?:velero|cnpg|barman_cloud|kube|kubelet|node|certmanager|dalp_dr)_[a-z_]*[a-z]\b")
RECOMMENDED = {  # the recovery page: alert -> severity and the limit it names
    "DalpBackupFailed": ("critical", "> 0"),
    "DalpReplicationLag": ("warning", "> 60"),
    "DalpPodRestarts": ("warning", "[1h])) > 5"),
    "DalpCertificateExpires": ("warning", "< 14 * 24 * 3600"),
    "DalpVolumeFull": ("warning", "> 0.8"),
    "DalpNodeDiskFull": ("warning", "> 0.8"),
}


def used(expression: str) -> set[str]:
    return set(METRIC.findall(re.sub(r'"[^"]*"', '""', expression)))


def named(alert: str) -> dict[str, Any]:
    return next(rule for rule in RULES if rule["alert"] == alert)


@pytest.mark.parametrize("alert", RECOMMENDED)
def test_a_recommended_alert_has_its_severity_and_limit(alert: str) -> None:
    severity, limit = RECOMMENDED[alert]
    assert named(alert)["labels"]["severity"] == severity
    assert limit in named(alert)["expr"]


@pytest.mark.parametrize(
    "alert", ["DalpDrillOverdue", "DalpDrillFailed", "DalpClaimExpired", "DalpWalArchivingStalled", "DalpPodsUnavailable"]
)
def test_what_drills_and_key_metrics_add_is_there(alert: str) -> None:
    assert named(alert)["expr"]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r["alert"])
def test_an_alert_says_what_and_leads_to_a_runbook_section(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    page, _, section = notes["runbook_url"].removeprefix("https://airflow.example.com/drills/runbooks/").partition(".html#")
    text = (ROOT / "include" / "runbooks" / f"{page}.md").read_text()
    headings = {h.lower().replace(" ", "-") for h in re.findall(r"^## (.+)$", text, flags=re.MULTILINE)}
    assert section in headings
    assert notes["summary"] and notes["description"]
    assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r["alert"])
def test_an_alert_has_been_seen_to_fire(rule: dict[str, Any]) -> None:
    asked = [a for t in TESTS for a in t["alert_rule_test"] if a["alertname"] == rule["alert"]]
    assert any(a["exp_alerts"] for a in asked)


def test_names_are_unique_and_every_test_is_about_an_alert() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert {a["alertname"] for t in TESTS for a in t["alert_rule_test"]} == set(names)


def expressions() -> set[str]:
    return {rule["expr"] for rule in RULES} | {t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]}


def test_every_metric_s_exporter_is_named() -> None:
    page = (FOLDER / "README.md").read_text()
    found = {m for e in expressions() for m in used(e)}
    assert found
    assert sorted(m for m in found if not m.startswith("dalp_dr_") and f"`{m}`" not in page) == []


def test_our_own_metrics_are_those_that_the_watch_writes() -> None:
    found = {m for e in expressions() for m in used(e) if m.startswith("dalp_dr_")}
    assert found
    assert found <= set(metrics.HELP)


def test_checks_that_alerts_name_exist() -> None:
    found = {c for e in expressions() for c in re.findall(r'check="([a-z_]+)"', e)}
    assert found
    assert found <= {c.id for c in checks.CHECKS}


def test_parentheses_and_braces_are_balanced() -> None:
    assert [e for e in expressions() if any(e.count(a) != e.count(b) for a, b in ("()", "{}", "[]"))] == []


def test_the_dashboard_shows_the_key_metrics() -> None:
    shown = {m for panel in DASHBOARD["panels"] for t in panel["targets"] for m in used(t["expr"])}
    assert {
        "kube_deployment_status_replicas_available",
        "kube_pod_container_status_restarts_total",
        "cnpg_pg_replication_lag",
        "velero_backup_success_total",
        "velero_backup_failure_total",
        "certmanager_certificate_expiration_timestamp_seconds",
        "dalp_dr_posture_check",
    } <= shown
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.lab
def test_promtool_agrees(tmp_path: Path) -> None:
    """Prometheus's own checker: expressions parse, each alert fires and stays quiet as said."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(DOCUMENT["spec"]))
    (tmp_path / "tests.yaml").write_text((FOLDER / "tests.yaml").read_text())
    for words in (["check", "rules", "rules.yaml"], ["test", "rules", "tests.yaml"]):
        done = subprocess.run(["promtool", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.lab
def test_promtool_finds_a_limit_that_was_moved(tmp_path: Path) -> None:
    moved = yaml.safe_dump(DOCUMENT["spec"]).replace(
        'cnpg_pg_replication_lag{namespace=~"dalp(-.*)?"} > 60', "cnpg_pg_replication_lag > 600"
    )
    (tmp_path / "rules.yaml").write_text(moved)
    (tmp_path / "tests.yaml").write_text((FOLDER / "tests.yaml").read_text())
    done = subprocess.run(["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DalpReplicationLag" in done.stdout + done.stderr


@pytest.mark.lab
def test_promtool_takes_the_samples_of_the_watch() -> None:
    from dalp_dr.posture import standing
    from posture_sample import PLAN

    text = metrics.text(standing.rows((), PLAN), (), PLAN)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
