"""Asks a pod over HTTP through a port forward of the API server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dalp_dr_airflow.hooks.errors import NoAnswer, redact, translate
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer, KubernetesApi
from dalp_dr_airflow.hooks.kubernetes_paths import segment

LONGEST_BODY_BYTES = 64 * 1024 * 1024


def ready_pods(slices: Sequence[Mapping[str, Any]], port_name: str) -> list[tuple[str, int]]:
    """`(pod, port)` of every ready endpoint of EndpointSlices; `port_name` is the Service port's name, "" when it has
    none.
    """
    found = []
    for one in slices:
        ports = [p["port"] for p in one.get("ports") or [] if (p.get("name") or "") == port_name]
        for endpoint in one.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            if ports and target.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready", True):
                found.append((str(target["name"]), int(ports[0])))
    return sorted(found)


def ask_pod(
    api: KubernetesApi,
    namespace: str,
    pod: str,
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> HttpAnswer:
    """The pod's answer, whatever its status. NoAnswer when nobody listens, the pod falls silent or the forward is
    refused.
    """
    what = f"{method} {namespace}/{pod}:{port}{path}"
    started = time.monotonic()
    with translate("ask", what):
        forward = _open(api, namespace, pod, port)
        try:
            connection = http.client.HTTPConnection(pod, port, timeout=timeout_seconds)
            connection.sock = forward.socket(port)
            connection.sock.settimeout(timeout_seconds)
            connection.request(method, f"/{path.lstrip('/')}", headers={"Host": f"{pod}:{port}", "Connection": "close", **headers})
            answer = connection.getresponse()
            body = answer.read(LONGEST_BODY_BYTES)
            return HttpAnswer(answer.status, body, time.monotonic() - started, dict(answer.getheaders()))
        except http.client.HTTPException as error:
            said = redact(forward.error(port) or str(error) or type(error).__name__)
            raise NoAnswer(f"{what}: no answer: {said}", "Look at the pod.", transient=True) from None
        finally:
            forward.close()


def _open(api: KubernetesApi, namespace: str, pod: str, port: int) -> Any:
    from kubernetes.stream.ws_client import PortForward, create_websocket, get_websocket_url

    headers: dict[str, str] = {"sec-websocket-protocol": "v4.channel.k8s.io"}
    api.client.update_params_for_auth(headers, [], ["BearerToken"])
    configuration = api.client.configuration
    url = f"{configuration.host}/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/portforward"
    return PortForward(create_websocket(configuration, get_websocket_url(url, [("ports", str(port))]), headers), [port])
