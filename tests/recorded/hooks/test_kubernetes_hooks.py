"""The two Kubernetes hooks against a scripted API server."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.errors import InputError, RefusedError
from dalp_dr_airflow.hooks.errors import Conflict, Denied, Missing, NoAnswer, RetryPolicy
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook
from fake_http import KUBERNETES, FakeHttp

PODS = "/api/v1/namespaces/dalp/pods"
BOX = "/api/v1/namespaces/dalp-drill-1-app"


def quick(pauses: list[float] | None = None) -> RetryPolicy:
    return RetryPolicy(sleep=(pauses if pauses is not None else []).append)


def source(pauses: list[float] | None = None) -> SourceKubernetesHook:
    return SourceKubernetesHook(KUBERNETES, quick(pauses))


def sandbox() -> SandboxKubernetesHook:
    return SandboxKubernetesHook(KUBERNETES, "dalp-drill-", retries=quick())


def page(*names: str, token: str = "") -> dict[str, Any]:
    return {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"continue": token},
        "items": [{"metadata": {"name": n}} for n in names],
    }


def names(found: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def test_a_list_follows_every_page_and_names_kinds(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", PODS, page("a", "b", token="t1"))
    kubernetes.answer("GET", PODS, page("c"))
    found = source().list(PODS, "x=y")
    assert names(found) == ["a", "b", "c"]
    assert {(i["apiVersion"], i["kind"]) for i in found} == {("v1", "Pod")}
    assert [a.query.get("continue") for a in kubernetes.asked] == [None, "t1"]
    assert {a.query["labelSelector"] for a in kubernetes.asked} == {"x=y"}
    assert kubernetes.asked[0].headers["authorization"] == "Bearer a-token"


def test_a_list_whose_token_expired_starts_again(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", PODS, page("a", token="t1"))
    kubernetes.refuse("GET", PODS, 410, "expired")
    kubernetes.answer("GET", PODS, page("a", "b"))
    assert names(source().list(PODS)) == ["a", "b"]


def test_a_busy_server_is_asked_again_when_it_says(kubernetes: FakeHttp) -> None:
    pauses: list[float] = []
    kubernetes.refuse("GET", PODS, 429, "too many", Retry_After="3")
    kubernetes.refuse("GET", PODS, 503, "starting")
    kubernetes.answer("GET", PODS, page("a"))
    assert names(source(pauses).list(PODS)) == ["a"]
    assert pauses[0] == 3
    assert len(pauses) == 2


def test_a_denial_names_verb_and_resource(kubernetes: FakeHttp) -> None:
    kubernetes.refuse("GET", PODS, 403, 'User "reader" cannot list resource "pods"')
    with pytest.raises(Denied, match="may not list pods in dalp"):
        source().list(PODS)


def test_no_items_is_no_empty_list(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", PODS, {"kind": "Pod", "metadata": {}})
    with pytest.raises(Exception, match="has no items"):
        source().list(PODS)


def test_a_dead_server_is_no_answer(kubernetes: FakeHttp) -> None:
    kubernetes.__exit__()
    with pytest.raises(NoAnswer):
        SourceKubernetesHook(KUBERNETES, RetryPolicy(attempts=2, sleep=lambda _: None)).get(PODS)


def test_who_and_may_i(kubernetes: FakeHttp) -> None:
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    kubernetes.answer("POST", reviews, {"status": {"allowed": False, "reason": "no"}})
    kubernetes.answer(
        "POST",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"status": {"userInfo": {"username": "u", "groups": ["g"]}}},
    )
    assert source().can_i("create", "", "secrets", "dalp") is False
    assert kubernetes.asked[0].body["spec"]["resourceAttributes"] == {
        "verb": "create",
        "group": "",
        "resource": "secrets",
        "namespace": "dalp",
    }
    assert source().who_am_i() == {"username": "u", "uid": None, "groups": ["g"]}


def test_the_source_hook_cannot_write(kubernetes: FakeHttp) -> None:
    hook = source()
    assert not {"apply", "create", "patch", "delete", "scale", "exec", "replace"} & set(dir(hook))
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(RefusedError):
            hook._api.request(method, PODS, body={})
    assert kubernetes.asked == []


@pytest.mark.parametrize("extra", ["{}", '{"in_cluster": true, "kube_config": "x"}'])
def test_a_connection_must_name_one_cluster(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", f'{{"conn_type": "kubernetes", "extra": {extra}}}')
    with pytest.raises(InputError, match="exactly one"):
        SourceKubernetesHook("nowhere").get(PODS)


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "dalp-drill-1-app"}}
FOREIGN = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "dalp"}}


def test_apply_names_the_manager_and_never_forces(kubernetes: FakeHttp) -> None:
    kubernetes.answer("PATCH", f"{BOX}/secrets/s", SECRET)
    sandbox().apply(SECRET)
    assert kubernetes.asked[0].query == {"fieldManager": "dalp-dr", "force": "false"}
    assert kubernetes.asked[0].headers["Content-Type"] == "application/apply-patch+yaml"


def test_apply_over_a_foreign_field_is_a_conflict(kubernetes: FakeHttp) -> None:
    kubernetes.refuse("PATCH", f"{BOX}/secrets/s", 409, 'conflict with "kubectl-edit": .data')
    with pytest.raises(Conflict, match="kubectl-edit"):
        sandbox().apply(SECRET)


def test_create_adopts_what_exists(kubernetes: FakeHttp) -> None:
    kubernetes.answer("POST", f"{BOX}/secrets", SECRET, 201)
    kubernetes.refuse("POST", f"{BOX}/secrets", 409, "exists")
    kubernetes.answer("GET", f"{BOX}/secrets/s", {**SECRET, "data": {}})
    assert sandbox().create(SECRET)[1] is True
    assert sandbox().create(SECRET) == ({**SECRET, "data": {}}, False)


def test_writes_outside_are_refused_before_they_are_sent(kubernetes: FakeHttp) -> None:
    hook = sandbox()
    attempts = [
        lambda: hook.apply(FOREIGN),
        lambda: hook.create(FOREIGN),
        lambda: hook.replace(FOREIGN),
        lambda: hook.patch(f"{PODS}/p", {}),
        lambda: hook.delete(f"{PODS}/p", "uid"),
        lambda: hook.scale("deployment", "dalp", "dapi", 0),
        lambda: hook.exec("dalp", "p", "c", ["true"]),
        lambda: hook.service_request("dalp", "dapi", 3000, "/"),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedError):
            attempt()
    assert kubernetes.asked == []


def test_a_dry_run_may_point_anywhere_and_says_it_is_one(kubernetes: FakeHttp) -> None:
    kubernetes.refuse("POST", "/api/v1/namespaces/dalp/secrets", 403, "admission says no")
    assert sandbox().dry_run_create(FOREIGN) == (403, "admission says no")
    assert kubernetes.asked[0].query["dryRun"] == "All"


def test_delete_only_this_very_object(kubernetes: FakeHttp) -> None:
    kubernetes.answer("DELETE", f"{BOX}/pods/p", {})
    kubernetes.refuse("DELETE", f"{BOX}/pods/p", 409, "Precondition failed: UID in precondition: old, UID in object meta: new")
    kubernetes.refuse("DELETE", f"{BOX}/pods/p", 404, "not found")
    hook = sandbox()
    assert hook.delete(f"{BOX}/pods/p", "old", foreground=True, grace_seconds=0) is True
    assert kubernetes.asked[0].body["preconditions"] == {"uid": "old"}
    assert kubernetes.asked[0].body["propagationPolicy"] == "Foreground"
    with pytest.raises(RefusedError, match="Precondition failed"):
        hook.delete(f"{BOX}/pods/p", "old")
    assert hook.delete(f"{BOX}/pods/p", "old") is False


def test_wait_ends_with_the_object_or_says_what_did_not_happen(kubernetes: FakeHttp) -> None:
    kubernetes.refuse("GET", f"{BOX}/pods/p", 404, "not found")
    assert sandbox().wait(f"{BOX}/pods/p", lambda found: found is None, 5, "Removal") is None
    with pytest.raises(NoAnswer, match="Start of p did not happen within 0 s"):
        sandbox().wait(f"{BOX}/pods/p", lambda found: found is not None, 0.1, "Start of p")


def test_a_service_without_ready_pod_answers_503(kubernetes: FakeHttp) -> None:
    kubernetes.answer("GET", f"{BOX}/services/dapi", {"spec": {"ports": [{"port": 3000, "name": "http"}]}})
    endpoint = {
        "conditions": {"ready": False},
        "targetRef": {"kind": "Pod", "name": "dapi-1"},
        "addresses": ["10.0.0.1"],
    }
    kubernetes.answer(
        "GET",
        "/apis/discovery.k8s.io/v1/namespaces/dalp-drill-1-app/endpointslices",
        {"kind": "EndpointSliceList", "items": [{"ports": [{"name": "http", "port": 8080}], "endpoints": [endpoint]}]},
    )
    assert sandbox().service_request("dalp-drill-1-app", "dapi", 3000, "/health/ready").status == 503


def test_a_missing_service_or_port_is_missing(kubernetes: FakeHttp) -> None:
    with pytest.raises(Missing):
        sandbox().service_request("dalp-drill-1-app", "dapi", 3000, "/")
    kubernetes.answer("GET", f"{BOX}/services/dapi", {"spec": {"ports": [{"port": 3000}]}})
    with pytest.raises(Missing, match="no port 4000"):
        sandbox().service_request("dalp-drill-1-app", "dapi", 4000, "/")
