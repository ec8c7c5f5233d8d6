"""The drill's rights on a real API server: what it needs is allowed, what would hurt is denied. Root; cluster number
8."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, config

import real_api
from dalp_dr.isolation import janitor, permissions, privileges, sandbox
from dalp_dr.isolation.privileges import Access
from dalp_dr.kubernetes_resources import restore
from dalp_dr.model.plan import BackupPoint
from dalp_dr.naming import LABEL_DRILL, LABEL_TOKEN
from dalp_dr_lab.cluster.settings import Cluster
from sandbox_sample import PLAN

pytestmark = pytest.mark.lab

NUMBER = 8
ENVIRONMENT = PLAN.environment
ADMINISTRATOR = ""
VELERO = f"system:serviceaccount:{ENVIRONMENT.source.velero_namespace}:velero"
DRILL, READER = permissions.username("drill"), permissions.username("source-reader")
POINT = BackupPoint("app", "dalp", "dalp-daily-1", "dalp-daily", "2026-10-06T02:00:00Z", "2026-10-06T02:03:00Z", "2026-11-05T02:00:00Z")
MANIFESTS = restore.manifests(PLAN, POINT, {})
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Restore": "/apis/velero.io/v1/namespaces/{}/restores",
    "PodVolumeRestore": "/apis/velero.io/v1/namespaces/{}/podvolumerestores",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
}
Call = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with real_api.running(NUMBER, tmp_path_factory.mktemp("cluster"), ENVIRONMENT) as found:
        yield found


@pytest.fixture(scope="module")
def ask(cluster: Cluster) -> Call:
    """`ask(who, method, path, body)` -> (status, answer), as the user `who`."""
    settings = client.Configuration()
    config.load_kube_config(str(cluster.kubeconfig), client_configuration=settings)
    api = client.ApiClient(settings)

    def call(who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        reply = api.rest_client.pool_manager.request(
            method,
            f"{settings.host}{path}",
            body=None if body is None else json.dumps(body),
            headers={
                "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
                **({"Impersonate-User": who} if who else {}),
            },
        )
        return reply.status, json.loads(reply.data)

    return call


def create(ask: Call, who: str, manifest: dict[str, Any]) -> tuple[int, str]:
    """What the API server says to a dry-run create."""
    path = PATHS[manifest["kind"]].format(manifest["metadata"].get("namespace"))
    status, answer = ask(who, "POST", f"{path}?dryRun=All", manifest)
    return status, str(answer.get("message", ""))


def allowed(ask: Call, access: Access) -> bool:
    attributes = {
        "verb": access.verb,
        "group": access.group,
        "resource": access.resource,
        "subresource": access.subresource,
        "namespace": access.namespace,
        "name": access.name,
    }
    status, answer = ask(
        permissions.username(access.identity),
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    assert status == 201, answer
    return bool(answer["status"]["allowed"])


def test_everything_needed_is_allowed(ask: Call) -> None:
    assert [str(a) for a in privileges.needed(ENVIRONMENT) if not allowed(ask, a)] == []


def test_every_write_to_production_is_denied(ask: Call) -> None:
    assert [str(a) for a in privileges.forbidden(ENVIRONMENT) if allowed(ask, a)] == []


def test_the_sandbox_role_reaches_no_source_namespace(ask: Call) -> None:
    inside = privileges.needed_in_sandbox(ENVIRONMENT, "dalp")
    assert [str(a) for a in inside if allowed(ask, a)] == []


@pytest.mark.parametrize("forged", privileges.forged(ENVIRONMENT, PLAN), ids=lambda f: f.name)
def test_what_preflight_forges_is_refused_by_admission(ask: Call, forged: privileges.Forged) -> None:
    status, message = create(ask, DRILL, forged.manifest)
    assert (status, "denied request" in message) == (422, True), message


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["kind"])
def test_the_real_restore_and_its_rules_are_admitted(ask: Call, manifest: dict[str, Any]) -> None:
    assert create(ask, DRILL, manifest) == (201, "")


def edited(**spec: Any) -> dict[str, Any]:
    """The real Restore with other values; None leaves a field out."""
    made = copy.deepcopy(MANIFESTS[-1])
    made["spec"] = {k: v for k, v in {**made["spec"], **spec}.items() if v is not None}
    return made


HOOKS = {"resources": [{"name": "x", "includedNamespaces": ["dalp"], "postHooks": [{"exec": {"command": ["sh"]}}]}]}
SANDBOX = PLAN.namespace("app")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"namespaceMapping": {"dalp": "dalp"}}, "must be mapped"),
        ({"namespaceMapping": None}, "must be mapped"),
        ({"namespaceMapping": {"dalp": "velero"}}, "must be mapped"),
        ({"includedNamespaces": ["*"]}, "name source namespaces"),
        ({"includedNamespaces": None}, "name source namespaces"),
        ({"includedNamespaces": ["kube-system"]}, "name source namespaces"),
        ({"includedNamespaces": ["dalp", "dalp-support"]}, "must be mapped"),
        ({"namespaceMapping": {"dalp": SANDBOX, "dalp-support": "elsewhere"}}, "must be mapped"),
        ({"includeClusterResources": True}, "must stay unset"),
        ({"includeClusterResources": False}, "must stay unset"),
        ({"existingResourcePolicy": "update"}, "must not be updated"),
        ({"hooks": HOOKS}, "restore hooks"),
        ({"resourceModifier": None}, "required"),
        ({"resourcePolicy": None}, "required"),
        ({"restoreStatus": {"includedResources": ["pods"]}}, "status must not be restored"),
        ({"excludedResources": ["jobs.batch"]}, "must be excluded"),
    ],
)
def test_a_forged_restore_is_denied(ask: Call, spec: dict[str, Any], message: str) -> None:
    status, said = create(ask, DRILL, edited(**spec))
    assert (status, message in said) == (422, True), said


@pytest.mark.parametrize(("change", "message"), [({"labels": {}}, "carry the label"), ({"name": "someone-elses"}, "start with drill-")])
def test_a_restore_without_name_or_label_of_a_drill_is_denied(ask: Call, change: dict[str, Any], message: str) -> None:
    made = edited()
    made["metadata"].update(change)
    assert message in create(ask, DRILL, made)[1]


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"cancel": True}, 200),
        ({"cancel": True, "snapshotID": "2"}, 422),
        ({"cancel": True, "pod": {"name": "other"}}, 422),
        ({"cancel": False}, 422),
        ({"uploaderSettings": {}}, 422),
    ],
)
def test_a_volume_restore_may_be_cancelled_and_nothing_else(ask: Call, spec: dict[str, Any], status: int) -> None:
    path = PATHS["PodVolumeRestore"].format("velero")
    ask(
        ADMINISTRATOR,
        "POST",
        path,
        {
            "apiVersion": "velero.io/v1",
            "kind": "PodVolumeRestore",
            "metadata": {"name": "drill-x-1-abc", "namespace": "velero"},
            "spec": {"pod": {"name": "p"}, "volume": "data", "snapshotID": "1"},
        },
    )
    assert ask(DRILL, "PATCH", f"{path}/drill-x-1-abc?dryRun=All", {"spec": spec})[0] == status


@pytest.mark.parametrize(
    ("who", "name", "admitted"),
    [
        (VELERO, "dalp-drill-1-app", 422),
        (VELERO, "restored", 201),
        (DRILL, "restored", 422),
        (DRILL, "dalp-drill-1-app", 201),
    ],
)
def test_namespaces(ask: Call, who: str, name: str, admitted: int) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL_DRILL: "d-1"}}}
    assert create(ask, who, manifest)[0] == admitted


def test_a_sandbox_namespace_without_a_label_is_denied(ask: Call) -> None:
    assert create(ask, DRILL, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dalp-drill-1-app"}})[0] == 422


def test_a_whole_sandbox_is_made_and_removed_and_no_other_namespace_can_be(ask: Call) -> None:
    namespace, binding = sandbox.namespace(PLAN, "app")[:2]
    assert ask(DRILL, "POST", PATHS["Namespace"], namespace)[0] == 201
    assert ask(DRILL, "POST", PATHS["RoleBinding"].format(SANDBOX), binding)[0] == 201
    foreign = {
        **binding,
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "dalp"}],
        "metadata": {**binding["metadata"], "name": "foreign"},
    }
    assert "only the drill itself" in create(ask, DRILL, foreign)[1]
    assert ask(DRILL, "DELETE", f"{PATHS['Namespace']}/dalp")[0] == 422
    assert ask(DRILL, "DELETE", f"{PATHS['Namespace']}/{SANDBOX}")[0] == 200


def test_the_lease_is_admitted(ask: Call) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "dalp-drill-lab", "namespace": "dalp-dr"},
        "spec": {},
    }
    assert create(ask, DRILL, lease)[0] == 201
    assert create(ask, READER, lease)[0] == 403


JANITOR = permissions.username("janitor")


def test_the_janitor_may_do_what_it_needs(ask: Call) -> None:
    needed = [access for grant in janitor.grants(ENVIRONMENT) for access in privileges._accesses(grant)]
    assert needed
    assert [str(access) for access in needed if not allowed(ask, access)] == []


def test_the_janitor_reads_no_secret_and_makes_nothing(ask: Call) -> None:
    places = [n.name for n in ENVIRONMENT.source.namespaces] + [PLAN.namespace("app"), ENVIRONMENT.source.velero_namespace]
    wanted = [Access("janitor", verb, "", "secrets", "", n) for n in places for verb in ("get", "list", "create")]
    wanted += [Access("janitor", "create", "velero.io", "restores", "", ENVIRONMENT.source.velero_namespace)]
    wanted += [Access("janitor", verb, "", "pods", "", n) for n in places for verb in ("list", "delete")]
    assert [str(access) for access in wanted if allowed(ask, access)] == []


JANITORS = {
    "a sandbox": (f"{PLAN.namespace('app')}-old", PLAN.labels, 200),
    "a sandbox without its token": (PLAN.namespace("support"), {k: v for k, v in PLAN.labels.items() if k != LABEL_TOKEN}, 422),
    "our labels on another namespace": ("somebodys", PLAN.labels, 422),
    "production": ("dalp", None, 422),
}


@pytest.mark.parametrize("case", JANITORS)
def test_the_janitor_deletes_owned_sandboxes_only(ask: Call, case: str) -> None:
    name, labels, wanted = JANITORS[case]
    if labels is not None:
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        assert ask(ADMINISTRATOR, "POST", PATHS["Namespace"], made)[0] == 201
    status, answer = ask(JANITOR, "DELETE", f"{PATHS['Namespace']}/{name}?dryRun=All")
    assert status == wanted, answer
    if labels is not None:
        ask(ADMINISTRATOR, "DELETE", f"{PATHS['Namespace']}/{name}")
