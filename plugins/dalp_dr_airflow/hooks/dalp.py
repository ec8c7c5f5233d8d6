"""The restored DALP API, asked as a read-only user through the sandbox's Service."""

from __future__ import annotations

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook

TIMEOUT_SECONDS = 20.0
HEADER = "X-Api-Key"


class DalpHook(BaseHook):
    """Only GET is ever sent, so that asking changes nothing."""

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_api"
    conn_type = "http"
    hook_name = "DALP API (restored, read only)"

    def __init__(self, conn_id: str, sandbox: SandboxKubernetesHook, namespace: str, service: str, port: int) -> None:
        super().__init__()
        self.conn_id, self._sandbox, self.namespace, self.service, self.port = (
            conn_id,
            sandbox,
            namespace,
            service,
            port,
        )

    def request(self, path: str) -> HttpAnswer:
        """The API's answer to one GET, whatever its status; `path` begins with /api. CallError when there is none."""
        return self._sandbox.service_request(
            self.namespace,
            self.service,
            self.port,
            path,
            headers={HEADER: self._key()},
            timeout_seconds=TIMEOUT_SECONDS,
        )

    def _key(self) -> str:
        key = self.get_connection(self.conn_id).password
        if not key:
            raise InputError(f"Connection {self.conn_id} holds no API key.", "Put the key of a read-only user into its password.")
        return str(key)
