"""The reads that source and sandbox have in common."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.hooks.kubernetes_api import KubernetesApi

PAGE_OBJECTS = 250
_LIST_ATTEMPTS = 3  # a list whose continue token expired (410) starts again


class KubernetesReads:
    """Objects as plain dicts. Every method raises CallError (Missing, Denied, NoAnswer) and never answers with a
    default.
    """

    _api: KubernetesApi

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """One object, e.g. `get("/api/v1/namespaces/dalp")`."""
        return self._api.call("GET", path, query=query or None)

    def list(self, path: str, label_selector: str | None = None) -> builtins.list[dict[str, Any]]:
        """All objects of a collection, every page of it, each with its apiVersion and kind."""
        for attempt in range(1, _LIST_ATTEMPTS + 1):
            try:
                return self._pages(path, {"labelSelector": label_selector} if label_selector else {})
            except CallError as error:
                if error.status != 410 or attempt == _LIST_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _pages(self, path: str, query: Mapping[str, Any]) -> builtins.list[dict[str, Any]]:
        found: builtins.list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = self._api.call("GET", path, query={**query, "limit": PAGE_OBJECTS, **({"continue": token} if token else {})})
            kind = str(page.get("kind", "")).removesuffix("List")
            if not isinstance(page.get("items"), builtins.list):
                raise CallError(f"The answer to list {path} has no items: it is a {page.get('kind')}.", "Look at the path.")
            found += [{"apiVersion": page.get("apiVersion"), "kind": kind, **item} for item in page["items"]]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found

    def server_version(self) -> str:
        """Kubernetes version of the API server, e.g. `v1.36.3`."""
        return str(self._api.call("GET", "/version")["gitVersion"])

    def can_i(
        self,
        verb: str,
        group: str,
        resource: str,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> bool:
        """Whether this connection's identity may do something. `group` is "" for the core group."""
        return bool(self.access_review(verb, group, resource, namespace, name, subresource)["allowed"])

    def access_review(
        self,
        verb: str,
        group: str,
        resource: str,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Status of a SelfSubjectAccessReview: `{allowed, reason?, evaluationError?}`."""
        asked = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "namespace": namespace,
            "name": name,
            "subresource": subresource,
        }
        review = self._api.call(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value is not None}},
            },
        )
        return dict(review["status"])

    def who_am_i(self) -> dict[str, Any]:
        """`{username, uid, groups}` as the API server sees this connection (SelfSubjectReview)."""
        review = self._api.call(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
        user = review["status"]["userInfo"]
        return {"username": user["username"], "uid": user.get("uid"), "groups": user.get("groups", [])}
