"""Reads of the Kubernetes API for triggers: asynchronous, and patient with an API server that is busy."""

from __future__ import annotations

import asyncio
import builtins
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import CallError, call_error, translate
from dalp_dr_airflow.hooks.kubernetes_api import explanation
from dalp_dr_airflow.hooks.kubernetes_paths import place_of

REQUEST_TIMEOUT_SECONDS = 30
LIST_ATTEMPTS = 3
PAGE_OBJECTS = 250


class AsyncReads:
    """`get`, `list` and `log` over one kubernetes_asyncio client. CallError as the synchronous hooks raise it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        text = await self._text(path, query)
        with translate("decode", str(place_of(path))):
            return dict(json.loads(text))

    async def list(self, path: str, label_selector: str) -> list[dict[str, Any]]:
        """Every page of a collection. A list whose continue token has expired (410) begins again."""
        for attempt in range(1, LIST_ATTEMPTS + 1):
            try:
                return await self._pages(path, label_selector)
            except CallError as error:
                if error.status != 410 or attempt == LIST_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _pages(self, path: str, label_selector: str) -> builtins.list[dict[str, Any]]:
        items: builtins.list[dict[str, Any]] = []
        query: dict[str, Any] = {"labelSelector": label_selector, "limit": PAGE_OBJECTS}
        while True:
            page = await self.get(path, **query)
            if not isinstance(page.get("items"), builtins.list):
                raise CallError(f"The answer to list {path} has no items: it is a {page.get('kind')}.", "Look at the path.")
            items += page["items"]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def log(self, namespace: str, pod: str, container: str, tail: int) -> str:
        return await self._text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", {"container": container, "tailLines": tail})

    async def _text(self, path: str, query: dict[str, Any]) -> str:
        what = str(place_of(path))
        with translate("get", what):
            answer = await self._client.call_api(
                path,
                "GET",
                query_params=list(query.items()),
                header_params={"Accept": "application/json, */*"},
                auth_settings=["BearerToken"],
                response_types_map={},
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=REQUEST_TIMEOUT_SECONDS,
            )
            body: bytes = await answer.read()
        if answer.status != 200:
            raise call_error("get", what, answer.status, explanation(body), answer.headers.get("Retry-After"))
        return body.decode(errors="replace")


@asynccontextmanager
async def async_reads(conn_id: str) -> AsyncIterator[AsyncReads]:
    """A client of a Kubernetes connection. The client library's slow import happens in a thread, not in the loop."""
    hook = await asyncio.to_thread(_hook, conn_id)
    extra = await hook.get_conn_extras()
    if not any(extra.get(name) for name in ("in_cluster", "kube_config_path", "kube_config")):
        raise InputError(f"Connection {conn_id} names no cluster.", "Set in_cluster, kube_config_path or kube_config in its extra.")
    async with hook.get_conn() as client:
        yield AsyncReads(client)


def _hook(conn_id: str) -> Any:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

    return AsyncKubernetesHook(conn_id=conn_id)
