"""Production's Kubernetes. Read only, by type: this hook has no way to write."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import RefusedError
from dalp_dr_airflow.hooks.errors import RetryPolicy
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer, KubernetesApi
from dalp_dr_airflow.hooks.kubernetes_reads import KubernetesReads

_REVIEWS = frozenset({"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/apis/authentication.k8s.io/v1/selfsubjectreviews"})


class ReadOnlyApi(KubernetesApi):
    """Refuses, before anything is sent, every request but GET and the two reviews of oneself, which store nothing."""

    def request(self, method: str, path: str, **how: Any) -> HttpAnswer:
        if method != "GET" and not (method == "POST" and path in _REVIEWS):
            raise RefusedError(
                f"{method} {path} was about to be sent to production.",
                "Production is only ever read. This is a defect of the drill: report it.",
            )
        return super().request(method, path, **how)


class SourceKubernetesHook(KubernetesReads, BaseHook):
    """Reads objects of production's cluster."""

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_source_kubernetes"
    conn_type = "kubernetes"
    hook_name = "DALP source Kubernetes (read only)"

    def __init__(self, conn_id: str = default_conn_name, retries: RetryPolicy | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._api = ReadOnlyApi(conn_id, retries)
