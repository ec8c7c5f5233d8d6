"""One HTTP call to a Kubernetes API server, with the credentials of an Airflow connection."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import CallError, RetryPolicy, call_error, translate
from dalp_dr_airflow.hooks.kubernetes_paths import place_of

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class HttpAnswer:
    """What a server answered, whatever the status. `seconds`: from sending until the body was read, monotonic clock."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)


class KubernetesApi:
    """Sends requests; no caching, no redirects, no default namespace and no default cluster.

    A connection must say which cluster it means: one without settings is refused, since the client library would
    otherwise fall back to whatever kubeconfig the worker happens to have.
    """

    def __init__(self, conn_id: str, retries: RetryPolicy | None = None) -> None:
        self.conn_id = conn_id
        self.retries = retries or RetryPolicy()

    @cached_property
    def client(self) -> Any:
        """The `kubernetes.client.ApiClient` of the connection, with a configuration of its own."""
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
        from kubernetes.client import Configuration

        extra = KubernetesHook(conn_id=self.conn_id).conn_extras
        chosen = [name for name in ("in_cluster", "kube_config_path", "kube_config") if extra.get(name)]
        if len(chosen) != 1:
            raise InputError(
                f"Connection {self.conn_id} must set exactly one of in_cluster, kube_config_path and kube_config; "
                f"it sets {', '.join(chosen) or 'none'}.",
                "Set it in the connection's extra.",
            )
        own = None if chosen == ["in_cluster"] else Configuration()
        with translate("read the settings of", f"connection {self.conn_id}"):
            return KubernetesHook(conn_id=self.conn_id, client_configuration=own).get_conn()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
    ) -> HttpAnswer:
        """Send one request once and return the answer, whatever its status. NoAnswer when there is none."""
        sent: dict[str, str] = {"Accept": "application/json", "User-Agent": "dalp-recovery-drill", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        self.client.update_params_for_auth(sent, [], ["BearerToken"])
        url = self.client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        started = time.monotonic()
        with translate(method.lower(), path):
            from urllib3 import Timeout

            answer = self.client.rest_client.pool_manager.request(
                method,
                url,
                headers=sent,
                body=None if body is None else json.dumps(body),
                retries=False,
                redirect=False,
                timeout=Timeout(connect=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds), read=timeout_seconds),
            )
        return HttpAnswer(answer.status, answer.data, time.monotonic() - started, dict(answer.headers))

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout_seconds: float = 30.0,
    ) -> dict[str, Any]:
        """Send, repeat what is transient, and return the decoded object. CallError on anything but 2xx."""
        answer = self.retries.call(
            lambda: self._accepted(method, path, query=query, body=body, content_type=content_type, timeout_seconds=timeout_seconds)
        )
        with translate("decode", path):
            found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise CallError(f"The answer to {method} {path} is not an object.", "Look at what answers at this address.")
        return found

    def text(self, path: str, *, query: Mapping[str, Any], timeout_seconds: float = 30.0) -> str:
        """GET something that is not JSON, e.g. a log."""
        answer = self.retries.call(lambda: self._accepted("GET", path, query=query, timeout_seconds=timeout_seconds))
        return answer.body.decode(errors="replace")

    def _accepted(self, method: str, path: str, **how: Any) -> HttpAnswer:
        """One try. Credentials that are not accepted any more are read again from the connection, once: they may have been renewed."""
        answer = self.request(method, path, **how)
        if answer.status == 401:
            self.__dict__.pop("client", None)
            answer = self.request(method, path, **how)
        if 200 <= answer.status < 300:
            return answer
        raise refused(method, path, answer)


def refused(method: str, path: str, answer: HttpAnswer) -> CallError:
    """The error for an answer outside 2xx, with the API server's own explanation."""
    place = place_of(path)
    verb = _VERBS.get(method) or ("get" if place.name else "list")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return call_error(verb, str(place), answer.status, explanation(answer.body), headers.get("retry-after"))


def explanation(body: bytes) -> str:
    """`message` of the API server's Status object, or the body as it is."""
    try:
        found = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    return str(found.get("message") or found) if isinstance(found, dict) else str(found)
