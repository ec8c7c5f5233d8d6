"""The services layer of the image: the same sources give the same bytes, and every program of the charts is in it."""

import io
import re
import tarfile

from dalp_dr_lab.miniature import image
from dalp_dr_lab.miniature.configuration import CHARTS


def members() -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(image.services_layer())) as archive:
        return set(archive.getnames())


def test_same_bytes_every_time() -> None:
    assert image.services_layer() == image.services_layer()


def test_every_program_that_a_chart_starts_is_there() -> None:
    text = "\n".join(path.read_text() for path in CHARTS.rglob("*.yaml"))
    started = set(re.findall(r"services\.(\w+)\]", text)) | set(re.findall(r'"module" "(\w+)"', text))
    assert {"api", "dapp", "gateway", "worker", "indexer", "rates", "support", "cache", "observability"} <= started
    assert {f"app/services/{name}.py" for name in started} <= members()


def test_schema_travels_with_the_services() -> None:
    assert "app/services/schema.sql" in members()
