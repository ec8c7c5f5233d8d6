"""The public entrance: which stack a host is mapped to, and what a client sees that knows nothing but the host's name."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.services.route_switch import Backend
from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.hooks.errors import CallError, Conflict, call_error, translate
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer

TIMEOUT_SECONDS = 10.0


class RouteControlHook(BaseHook):
    """Reads and writes the mapping of one host at an entrance that offers it as `/-/routes/<host>`, guarded by a token.

    Host of the connection: its URL; password: the token. A mapping has a version, and is only written over the one it was made from.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_route_control"
    conn_type = "http"
    hook_name = "DALP public entrance (mapping of hosts)"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def read(self, host: str) -> tuple[tuple[Backend, ...], str]:
        """(where the host is mapped to, version). CallError; Missing when the entrance does not know the host."""
        found = self._call("GET", host)
        return tuple(Backend(b["name"], b["address"], int(b["weight"])) for b in found["backends"]), str(found["version"])

    def write(self, host: str, backends: Sequence[Backend], version: str, dry_run: bool = True) -> None:
        """Maps the host anew; a dry run only looks. Conflict when somebody changed the mapping since `version` was read."""
        if dry_run:
            if self.read(host)[1] != version:
                raise Conflict(f"The mapping of {host} was changed since it was read.", "Find out by whom; nothing was changed.")
            return
        body = {"backends": [{"name": b.name, "address": b.address, "weight": b.weight} for b in backends]}
        self._call("PUT", host, json=body, headers={"If-Match": version})

    def _call(self, method: str, host: str, headers: dict[str, str] | None = None, **how: Any) -> dict[str, Any]:
        what = f"the mapping of {host}"
        token = self.get_connection(self.conn_id).password
        if not token:
            raise InputError(f"Connection {self.conn_id} has no token.", "Put the entrance's token into its password.")
        with translate(method.lower(), what):
            answer = self._session.request(
                method,
                f"{endpoint(self.conn_id)}/-/routes/{quote(host)}",
                headers={"Authorization": f"Bearer {token}", **(headers or {})},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                **how,
            )
            if answer.status_code != 200:
                raise call_error("change" if method == "PUT" else "read", what, answer.status_code, answer.text)
            try:
                found = answer.json()
            except ValueError:
                raise CallError(f"The entrance answered something that is no mapping of {host}.", "Look at what answers there.") from None
        return dict(found)

    @cached_property
    def _session(self) -> Any:
        return session()


class PublicClientHook(BaseHook):
    """Asks a public host as any client does. The connection's address stands for the one the name resolves to."""

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_public_entrance"
    conn_type = "http"
    hook_name = "DALP public entrance (client)"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def ask(self, host: str, path: str) -> HttpAnswer:
        """The answer, whatever its status, by a new connection: nothing remembers the old way. CallError when there is none."""
        started = time.monotonic()
        with translate("ask", f"https://{host}{path}"):
            answer = session().get(
                f"{endpoint(self.conn_id)}{path}",
                headers={"Host": host, "Connection": "close", "Cache-Control": "no-cache"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        return HttpAnswer(answer.status_code, answer.content, time.monotonic() - started, dict(answer.headers))


def session() -> Any:
    """An HTTP session that takes nothing from the worker's environment."""
    from requests import Session

    made = Session()
    made.trust_env = False
    return made
