"""The public hosts' mapping in an HTTPRoute and in an Ingress: read, tried, written, and never over somebody else's change."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.errors import InputError
from dalp_dr.services.route_switch import Backend
from dalp_dr_airflow.hooks.errors import Conflict, Missing
from dalp_dr_airflow.hooks.route_objects import RouteObjectHook
from fake_http import KUBERNETES, FakeHttp

HOST = "dapp.drill.example.com"
ROUTE, INGRESS = (
    "/apis/gateway.networking.k8s.io/v1/namespaces/edge/httproutes/drill",
    "/apis/networking.k8s.io/v1/namespaces/edge/ingresses/drill",
)
AN_HTTP_ROUTE = {
    "metadata": {"name": "drill", "resourceVersion": "7"},
    "spec": {"hostnames": [HOST], "rules": [{"backendRefs": [{"name": "dalp-dapp", "namespace": "dalp", "port": 3000, "weight": 1}]}]},
}
AN_INGRESS = {
    "metadata": {"name": "drill", "resourceVersion": "7"},
    "spec": {
        "rules": [
            {"host": "other.example.com", "http": {"paths": [{"backend": {"service": {"name": "x", "port": {"number": 1}}}}]}},
            {"host": HOST, "http": {"paths": [{"backend": {"service": {"name": "dalp-dapp", "port": {"name": "http"}}}}]}},
        ]
    },
}
RESTORED = Backend("dalp-drill-1a2b-app/dalp-dapp", "10.96.1.2:3000")


def hook(kind: str) -> RouteObjectHook:
    return RouteObjectHook(KUBERNETES, kind, "edge", "drill")


def test_an_http_route_is_read_tried_and_written(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", ROUTE, AN_HTTP_ROUTE)
    kubernetes.answer("PATCH", ROUTE, AN_HTTP_ROUTE)
    before, version = hook("http_route").read(HOST)
    assert before == (Backend("dalp/dalp-dapp", "dalp-dapp.dalp:3000", 1),)
    hook("http_route").write(HOST, [RESTORED], version)
    hook("http_route").write(HOST, [RESTORED], version, dry_run=False)
    tried, written = (a for a in kubernetes.asked if a.method == "PATCH")
    assert (tried.query, written.query) == ({"dryRun": "All"}, {})
    assert tried.body == written.body
    assert written.body[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    reference = {"name": "dalp-dapp", "namespace": "dalp-drill-1a2b-app", "port": 3000, "weight": 100}
    assert written.body[1] == {"op": "replace", "path": "/spec/rules/0/backendRefs", "value": [reference]}


def test_an_ingress_names_services_of_its_own_namespace_alone(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", INGRESS, AN_INGRESS)
    kubernetes.answer("PATCH", INGRESS, AN_INGRESS)
    before, version = hook("ingress").read(HOST)
    assert before == (Backend("edge/dalp-dapp", "dalp-dapp.edge:http"),)
    with pytest.raises(InputError, match="cannot name a service in"):
        hook("ingress").write(HOST, [RESTORED], version)
    hook("ingress").write(HOST, [Backend("edge/restored", "10.96.1.2:3000")], version)
    (patch,) = (a for a in kubernetes.asked if a.method == "PATCH")
    value = {"service": {"name": "restored", "port": {"number": 3000}}}
    assert patch.body[1] == {"op": "replace", "path": "/spec/rules/1/http/paths/0/backend", "value": value}


@pytest.mark.parametrize("kind", ["http_route", "ingress"])
def test_a_change_of_somebody_else_is_not_written_over(kind: str, kubernetes: FakeHttp) -> None:
    path, found = {"http_route": (ROUTE, AN_HTTP_ROUTE), "ingress": (INGRESS, AN_INGRESS)}[kind]
    kubernetes.answer("GET", path, found)
    with pytest.raises(Conflict):
        hook(kind).write(HOST, [RESTORED], "6", dry_run=False)
    assert [a for a in kubernetes.asked if a.method == "PATCH"] == []


@pytest.mark.parametrize(("kind", "path", "found"), [("http_route", ROUTE, AN_HTTP_ROUTE), ("ingress", INGRESS, AN_INGRESS)])
def test_an_object_without_the_host_is_told(kind: str, path: str, found: Any, kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", path, found)
    with pytest.raises(Missing):
        hook(kind).read("elsewhere.example.com")
