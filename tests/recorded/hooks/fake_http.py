"""A scripted HTTP server: real sockets, no behaviour of its own."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KUBERNETES = "fake_kubernetes"  # id of the connection that leads to a fake API server


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class FakeHttp:
    """`answer(...)` scripts one path; the last answer of a path is repeated. What was asked is in `asked`."""

    asked: list[Asked] = field(default_factory=list)
    script: dict[tuple[str, str], deque[tuple[int, dict[str, str], bytes]]] = field(default_factory=lambda: defaultdict(deque))

    def __enter__(self) -> FakeHttp:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fake.serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script[method, path].append((status, {k.replace("_", "-"): v for k, v in headers.items()}, data))

    def refuse(self, method: str, path: str, status: int, message: str, **headers: str) -> None:
        """Answer with a Status object, as the API server does."""
        self.answer(
            method,
            path,
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status},
            status,
            **headers,
        )

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        self.asked.append(
            Asked(
                handler.command,
                parts.path,
                {k: v[0] for k, v in parse_qs(parts.query).items()},
                dict(handler.headers.items()),
                json.loads(body) if body else None,
            )
        )
        answers = self.script.get((handler.command, parts.path))
        status, headers, data = (404, {}, b"{}") if not answers else answers.popleft() if len(answers) > 1 else answers[0]
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def as_kubernetes_connection(self) -> str:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "a-token"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }
        return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(config)}})
