"""A Prometheus Pushgateway: one group of samples is replaced as a whole."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from urllib.parse import quote

from airflow.sdk import BaseHook

from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.hooks.errors import translate

TIMEOUT_SECONDS = 10.0
JOB = "dalp_dr_posture"
Send = Callable[[urllib.request.Request], None]


def send(request: urllib.request.Request) -> None:
    """Raises unless the gateway took it."""
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        answer.read()


class PushgatewayHook(BaseHook):
    """PUT to `/metrics/job/<job>/environment/<name>`, which replaces what this environment pushed before."""

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_pushgateway"
    conn_type = "http"
    hook_name = "Prometheus Pushgateway"

    def __init__(self, conn_id: str = default_conn_name, transport: Send = send) -> None:
        super().__init__()
        self.conn_id, self._transport = conn_id, transport

    def replace(self, environment: str, text: str) -> None:
        """Sends samples in text format. CallError when the gateway did not take them."""
        url = f"{endpoint(self.conn_id).rstrip('/')}/metrics/job/{JOB}/environment/{quote(environment, safe='')}"
        request = urllib.request.Request(url, text.encode(), {"Content-Type": "text/plain; version=0.0.4"}, method="PUT")
        with translate("push to", self.conn_id):
            self._transport(request)
