"""The lab's public entrance: a reverse proxy that forwards HTTP by host name to the addresses its mapping names, by weight.

`entrance.py HOST:PORT MAPPING.json TOKEN_FILE`. The mapping is read anew for every request: host -> list of
`{"name", "address", "weight"}`. Whoever has the token reads and changes one host's at `/-/routes/<host>`: GET, and PUT with
`If-Match: <version>`, which is refused when somebody else changed it meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BACKEND_SECONDS = 10
CONTROL = "/-/routes/"
DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization", "content-length"})
_changing = threading.Lock()
Backends = list[dict[str, Any]]


def version_of(backends: Backends) -> str:
    """The version of one host's mapping: a digest of it."""
    return hashlib.sha256(json.dumps(backends, sort_keys=True).encode()).hexdigest()[:16]


def read(mapping: Path) -> dict[str, Backends]:
    """The whole mapping; empty before the first one is written."""
    return json.loads(mapping.read_text()) if mapping.exists() else {}


def write(mapping: Path, whole: dict[str, Backends]) -> None:
    """Replaces the mapping as a whole."""
    new = mapping.with_suffix(".new")
    new.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
    new.replace(mapping)


def choose(backends: Backends, drawn: float) -> str | None:
    """The address for a request; `drawn` lies in [0, 1). None when no backend has weight."""
    whole, passed = sum(b["weight"] for b in backends), 0
    for backend in backends:
        passed += backend["weight"]
        if drawn * whole < passed:
            return str(backend["address"])
    return None


def handler(mapping: Path, token: str) -> type[BaseHTTPRequestHandler]:
    """The requests of one entrance."""

    class Entrance(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def run(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith(CONTROL):
                return self.control(self.path.removeprefix(CONTROL), body)
            host = (self.headers.get("Host") or "").partition(":")[0].lower()
            backends = read(mapping).get(host)
            if backends is None:
                return self.answer(404, b"this entrance does not know the host\n")
            address = choose(backends, random.random())
            return self.answer(503, b"the host is mapped to nothing\n") if address is None else self.forward(address, body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = run

        def forward(self, address: str, body: bytes) -> None:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED} | {"Connection": "close"}
            headers["X-Forwarded-For"] = self.client_address[0]
            backend = http.client.HTTPConnection(address, timeout=BACKEND_SECONDS)
            try:
                backend.request(self.command, self.path, body or None, headers)
                found = backend.getresponse()
                data = found.read()
            except (OSError, http.client.HTTPException):
                return self.answer(502, b"the backend does not answer\n")
            finally:
                backend.close()
            self.answer(found.status, data, {k: v for k, v in found.getheaders() if k.lower() not in DROPPED})

        def control(self, host: str, body: bytes) -> None:
            if not hmac.compare_digest(self.headers.get("Authorization") or "", f"Bearer {token}"):
                return self.answer(401, b"a token is needed\n")
            with _changing:
                whole = read(mapping)
                if host not in whole:
                    return self.answer(404, b"this entrance does not know the host\n")
                if self.command == "PUT":
                    if self.headers.get("If-Match") != version_of(whole[host]):
                        return self.answer(412, b"somebody changed the mapping meanwhile\n")
                    whole[host] = json.loads(body)["backends"]
                    write(mapping, whole)
            said = {"host": host, "backends": whole[host], "version": version_of(whole[host])}
            return self.answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

        def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            """Requests are not logged."""

    return Entrance


def server(host: str, port: int, mapping: Path, token: str) -> ThreadingHTTPServer:
    """An entrance that serves when told to."""
    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer((host, port), handler(mapping, token))


if __name__ == "__main__":
    listen, _, number = sys.argv[1].rpartition(":")
    server(listen, int(number), Path(sys.argv[2]), Path(sys.argv[3]).read_text().strip()).serve_forever()
