"""The rules proxy in a thread of its own, before any server, as tests of blocking clients need it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from dalp_dr_lab.weather.proxy import Server, serving
from dalp_dr_lab.weather.rules import Rule, Weather


class WeatherHere:
    """`url` leads through the weather to `server`. Rules and calls are in `weather`."""

    def __init__(self, server: str, *rules: Rule, to: ssl.SSLContext | None = None, own: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(server)
        assert parts.hostname and parts.port
        self.weather = Weather(list(rules))
        self._server, self._own = Server(parts.hostname, parts.port, to), own
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with serving(self._server, self.weather, "127.0.0.1", tls=self._own) as self.port:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> WeatherHere:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    @property
    def url(self) -> str:
        return f"{'https' if self._own else 'http'}://127.0.0.1:{self.port}"


def as_kubernetes_connection(url: str, user: dict[str, Any] | None = None) -> str:
    """An Airflow connection to an API server without TLS, i.e. to the proxy before it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user or {"token": "a-token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }
    return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}})
