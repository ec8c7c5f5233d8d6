"""Wakes a person: one JSON document to the address of a connection, e.g. the events endpoint of an on-call service."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from dalp_dr.errors import FactError, InputError
from dalp_dr_airflow.hooks.connections import endpoint

TIMEOUT_SECONDS = 10
CONN_ID = "dalp_paging"


class PagerHook(BaseHook):
    """Connection `dalp_paging` (HTTP): its address, and in its password the value of the Authorization header, if any."""

    conn_name_attr = "conn_id"
    default_conn_name = CONN_ID
    conn_type = "http"
    hook_name = "DALP paging"

    def __init__(self, conn_id: str = CONN_ID) -> None:
        super().__init__()
        self.conn_id = conn_id

    def send(self, document: dict[str, Any]) -> None:
        """Raises InputError when there is no such connection, FactError when nobody took the message."""
        try:
            url, password = endpoint(self.conn_id), BaseHook.get_connection(self.conn_id).password
        except AirflowNotFoundException as error:
            raise InputError(f"There is no connection {self.conn_id}.", "Create it, so that a breach wakes somebody.") from error
        headers = {"Content-Type": "application/json", **({"Authorization": password} if password else {})}
        request = urllib.request.Request(url, json.dumps(document).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                return
        except (OSError, urllib.error.HTTPError, ValueError) as error:
            raise FactError(
                f"{self.conn_id} did not take the page: {type(error).__name__}.", "Look at the connection's address."
            ) from error
