"""The HTTP side of every service: health endpoints, JSON answers, errors with a code."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ApiError(Exception):
    """An answer that is an error: HTTP status, business code, sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Request:
    """One request: path without the query, decoded query, headers, body."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer; `content` is sent as it is when it is bytes, as JSON otherwise."""

    content: Any
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def log(text: str) -> None:
    """One line for the container's log."""
    print(text, file=sys.stderr, flush=True)


def serve(port: int, answer: Callable[[Request], Answer], ready: Callable[[], None], service: str) -> None:
    """Serve until killed. `ready` raises with the reason while the service is not ready; any exception counts."""
    ThreadingHTTPServer.daemon_threads = True

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _run(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(urllib.parse.parse_qsl(parts.query))
            request = Request(self.command, parts.path.rstrip("/") or "/", query, dict(self.headers.items()), body)
            self._send(respond(request, answer, ready, service))

        do_GET = do_POST = do_PUT = do_DELETE = _run

        def _send(self, reply: Answer) -> None:
            data = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.media_type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            """Requests are not logged: probes would drown everything else."""

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a container gets no default handler
    log(f"{service} listens on port {port}")
    ThreadingHTTPServer(("", port), Handler).serve_forever()


def respond(request: Request, answer: Callable[[Request], Answer], ready: Callable[[], None], service: str) -> Answer:
    """The answer to one request, with the health endpoints that every service has."""
    if request.path == "/health/live":
        return Answer({"service": service, "status": "live"})
    try:
        if request.path == "/health/ready":
            ready()
            return Answer({"service": service, "status": "ready"})
        return answer(request)
    except ApiError as error:
        return Answer({"error": {"code": error.code, "message": str(error)}}, error.status)
    except Exception as error:
        log(f"{request.method} {request.path}: {type(error).__name__}: {error}")
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Answer({"service": service, "status": "unavailable", "error": {"code": "UNAVAILABLE", "message": text}}, 503)


def not_found(request: Request) -> ApiError:
    """The error for a path that the service does not have."""
    return ApiError(404, "NOT_FOUND", f"no such path: {request.path}")


def background(target: Callable[[], None]) -> threading.Thread:
    """Start a loop beside the server."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
