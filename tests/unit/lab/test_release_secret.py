"""The release Secret has the form in which Helm 3 writes and reads it."""

import base64
import gzip
import json
from datetime import UTC, datetime

import pytest
import yaml

from dalp_dr_lab.miniature import release
from dalp_dr_lab.miniature.configuration import CHARTS

AT = datetime(2026, 11, 24, 15, 0, 0, 123456, tzinfo=UTC)


def example(version: int = 1) -> release.Release:
    return release.Release("dalp", "dalp", version, CHARTS / "dalp", {"backup": {"enabled": True}}, "---\nkind: X\n", AT)


def test_secret_has_helms_name_type_and_labels() -> None:
    secret = release.secret(example(3))
    assert secret["type"] == "helm.sh/release.v1"
    assert secret["metadata"]["name"] == "sh.helm.release.v1.dalp.v3"
    labels = secret["metadata"]["labels"]
    assert {key: labels[key] for key in ("name", "owner", "status", "version")} == {
        "name": "dalp",
        "owner": "helm",
        "status": "deployed",
        "version": "3",
    }
    assert labels["modifiedAt"].isdigit()


def test_data_is_base64_of_base64_of_gzip_of_json() -> None:
    data = release.secret(example())["data"]["release"]
    inner = base64.b64decode(data)
    content = json.loads(gzip.decompress(base64.b64decode(inner)))
    assert content["config"] == {"backup": {"enabled": True}}
    assert content["manifest"] == "---\nkind: X\n"
    assert content["info"]["status"] == "deployed"
    assert content["info"]["last_deployed"] == "2026-11-24T15:00:00.123456Z"
    assert release.decode(data) == content


def test_chart_travels_with_the_release() -> None:
    chart = release.document(example())["chart"]
    names = {item["name"] for item in chart["templates"]}
    assert {"templates/_parts.tpl", "templates/backup.yaml", "templates/database.yaml"} <= names
    backup = next(item for item in chart["templates"] if item["name"] == "templates/backup.yaml")
    assert base64.b64decode(backup["data"]) == (CHARTS / "dalp/templates/backup.yaml").read_bytes()
    assert chart["metadata"]["version"] == "3.4.0"
    assert chart["values"] == yaml.safe_load((CHARTS / "dalp/values.yaml").read_text())


def test_encoding_is_the_same_every_time() -> None:
    assert release.secret(example()) == release.secret(example())


def test_older_revision_is_marked_in_label_and_content() -> None:
    secret = release.superseded(release.document(example()), AT)
    assert secret["metadata"]["labels"]["status"] == "superseded"
    assert release.decode(secret["data"]["release"])["info"]["status"] == "superseded"


@pytest.mark.parametrize(
    ("chart", "cron", "days"),
    [("dalp", "0 2 * * *", 30), ("support", "0 */4 * * *", 7), ("observability", "0 3 * * *", 3)],
)
def test_backup_defaults_of_the_charts(chart: str, cron: str, days: int) -> None:
    backup = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())["backup"]
    assert backup["enabled"] is False
    assert backup["schedule"]["cron"] == cron
    assert backup["schedule"]["paused"] is False
    assert backup["retention"]["days"] == days
    assert backup["includeAllPVCs"] is True
    assert backup["storage"]["provider"] == "s3"
    assert backup["labelSelector"]["matchLabels"] == {"kots.io/app-slug": "settlemint-dalp"}
