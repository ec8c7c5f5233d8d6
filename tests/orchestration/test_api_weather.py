"""Weather before a real API server and a real object store. Root; cluster number 9."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from dalp_dr_airflow.hooks import kubernetes_reads
from dalp_dr_airflow.hooks.errors import CallError, Denied, RetryPolicy
from dalp_dr_airflow.hooks.kubernetes_api import KubernetesApi
from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook
from dalp_dr_airflow.hooks.object_versions import ObjectVersionHook
from dalp_dr_airflow.hooks.s3 import ATTEMPTS
from dalp_dr_lab.cluster import lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.lab import BUCKETS, Lab
from dalp_dr_lab.weather import certificates
from dalp_dr_lab.weather.rules import Rule
from weather_here import WeatherHere

pytestmark = pytest.mark.lab

NUMBER, OBJECTS, PAGE = 9, 12, 5
LIST = "/api/v1/namespaces/default/configmaps"
SOON = RetryPolicy(attempts=4, first_pause_seconds=0.01, longest_pause_seconds=0.02)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A cluster with a few ConfigMaps, by its administrator's kubeconfig."""
    cluster = Cluster(NUMBER, tmp_path_factory.mktemp("cluster"))
    cluster.bin.symlink_to(Cluster.of(0).bin)
    try:
        lifecycle.up(cluster)
        found = yaml.safe_load(Path(cluster.kubeconfig).read_text())
        yield found
    finally:
        lifecycle.down(cluster)


def tls_to(kubeconfig: dict[str, Any], folder: Path) -> tuple[str, ssl.SSLContext]:
    """The API server's address, and the administrator's TLS to it: the proxy asks in their name."""
    [cluster], [user] = kubeconfig["clusters"], kubeconfig["users"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode())
    for name, key in (("crt", "client-certificate-data"), ("key", "client-key-data")):
        (folder / name).write_bytes(base64.b64decode(user["user"][key]))
    context.load_cert_chain(folder / "crt", folder / "key")
    context.check_hostname = False
    return cluster["cluster"]["server"], context


@pytest.fixture
def api(kubeconfig: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeatherHere]:
    """The API server behind the weather, at connection `stormy`; its lists come in pages of a few objects."""
    address, context = tls_to(kubeconfig, tmp_path)
    with WeatherHere(address, to=context) as found:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": found.url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}}
        monkeypatch.setenv("AIRFLOW_CONN_STORMY", json.dumps(connection))
        monkeypatch.setattr(kubernetes_reads, "PAGE_OBJECTS", PAGE)
        writer = KubernetesApi("stormy")
        for number in range(OBJECTS):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number:02d}"}}
            writer.request("POST", LIST, body=body)  # 409 from the second test on
        found.weather.calls.clear()
        yield found


def names() -> list[str]:
    listed = SourceKubernetesHook("stormy", retries=SOON).list(LIST)
    return [one["metadata"]["name"] for one in listed if one["metadata"]["name"].startswith("c-")]


ALL = [f"c-{number:02d}" for number in range(OBJECTS)]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(None, id="fine"),
        pytest.param(Rule(path=LIST, calls=(2, 4), status=503), id="503 between the pages"),
        pytest.param(Rule(path=LIST, calls=(2, 3), status=429, headers={"Retry-After": "0"}), id="429 between the pages"),
        pytest.param(Rule(path=LIST, calls=(2, 2), cut_after=300), id="the second page is cut"),
        pytest.param(Rule(path=LIST, calls=(2, 2), status=410), id="the second page has expired"),
        pytest.param(Rule(path=LIST, bytes_per_second=20_000), id="slow bodies"),
    ],
)
def test_every_object_is_listed_once(api: WeatherHere, rule: Rule | None) -> None:
    api.weather.rules += [rule] if rule else []
    assert names() == ALL


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(path=f"{LIST}.*continue=", status=503), id="the second page never comes"),
        pytest.param(Rule(path=f"{LIST}.*continue=", cut_after=300), id="the second page is always cut"),
        pytest.param(Rule(path=f"{LIST}.*continue=", status=410), id="the second page has always expired"),
    ],
)
def test_half_a_list_is_no_list(api: WeatherHere, rule: Rule) -> None:
    api.weather.rules.append(rule)
    with pytest.raises(CallError):
        names()
    assert api.weather.count(LIST) <= 8


def test_a_right_taken_away_in_the_middle_is_named(api: WeatherHere) -> None:
    api.weather.rules.append(Rule(path=f"{LIST}.*continue=", status=403, body='{"message": "configmaps is forbidden"}'))
    with pytest.raises(Denied, match="may not list configmaps in default"):
        names()


# ---- the object store


@pytest.fixture(scope="module")
def store(object_store: Lab) -> Lab:
    """SeaweedFS with a few versions of a few documents."""
    for number in range(4):
        object_store.s3("admin").put_object(Bucket=BUCKETS["documents"], Key=f"uploads/{number % 2}", Body=bytes([number]) * 2000)
    return object_store


def hook_through(proxy: WeatherHere, store: Lab, monkeypatch: pytest.MonkeyPatch) -> ObjectVersionHook:
    key = store.identities["documents-reader"]
    extra = {"endpoint_url": proxy.url, "region_name": "us-east-1", "config_kwargs": {"s3": {"addressing_style": "path"}}}
    connection = {"conn_type": "aws", "login": key.access_key, "password": key.secret_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_STORMY_S3", json.dumps(connection))
    return ObjectVersionHook("stormy_s3")


SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'


@pytest.mark.parametrize(
    ("rule", "calls"),
    [
        pytest.param(Rule(calls=(1, 2), status=503, body=SLOW_DOWN), 3, id="SlowDown"),
        pytest.param(Rule(calls=(1, 2), status=500), 3, id="500"),
    ],
)
def test_a_store_that_is_busy_is_asked_again(store: Lab, monkeypatch: pytest.MonkeyPatch, rule: Rule, calls: int) -> None:
    with WeatherHere(store.s3_endpoint, rule) as proxy:
        found = list(hook_through(proxy, store, monkeypatch).versions(BUCKETS["documents"], "uploads/"))
        assert len(found) == 4
        assert proxy.weather.count("versions") == calls


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(status=503, body=SLOW_DOWN), id="SlowDown for ever"),
        pytest.param(Rule(status=403), id="a right taken away"),
        pytest.param(Rule(cut_after=50), id="every list is cut"),
    ],
)
def test_versions_that_cannot_be_listed_are_not_no_versions(store: Lab, monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    with WeatherHere(store.s3_endpoint, rule) as proxy, pytest.raises(CallError):
        list(hook_through(proxy, store, monkeypatch).versions(BUCKETS["documents"], "uploads/"))
    assert proxy.weather.count("versions") <= 1 + ATTEMPTS


def test_a_body_that_is_cut_is_not_a_shorter_object(store: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with WeatherHere(store.s3_endpoint, Rule("GET", "/uploads/1", cut_after=500)) as proxy:
        answer = hook_through(proxy, store, monkeypatch).read(BUCKETS["documents"], "uploads/1")
    assert answer == {"key": "uploads/1", "version_id": None, "error": "no answer"}


@pytest.mark.parametrize(("days", "works"), [(-1, False), (1, True)], ids=["expired", "valid"])
def test_an_expired_certificate_is_told(store: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: int, works: bool) -> None:
    certificate, key = certificates.own("127.0.0.1", valid_until=datetime.now(UTC) + timedelta(days=days))
    (tmp_path / "crt").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "crt"))  # trusted: what is wrong with it is its age alone
    with WeatherHere(store.s3_endpoint, own=own) as proxy:
        hook = hook_through(proxy, store, monkeypatch)
        if works:
            assert len(list(hook.versions(BUCKETS["documents"], "uploads/"))) == 4
        else:
            with pytest.raises(CallError, match="certificate has expired"):
                list(hook.versions(BUCKETS["documents"], "uploads/"))
