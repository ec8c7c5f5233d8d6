"""The outside world of the lab: takes webhooks (HTTP), mail (SMTP) and custody calls, and counts who sent what."""

from __future__ import annotations

import socketserver
import threading
import time
from typing import Any

from . import server

received: list[dict[str, Any]] = []
lock = threading.Lock()


def note(channel: str, sender: str, text: str) -> None:
    """Remember one delivery."""
    with lock:
        received.append({"at": time.time(), "channel": channel, "from": sender, "text": text[:500]})


class Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP to take a message."""

    def handle(self) -> None:
        """One session."""
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            word = line.strip().upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) and part.strip() != b".":
                    lines.append(part.decode(errors="replace"))
                note("mail", self.client_address[0], "".join(lines))
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def answer(request: server.Request) -> server.Answer:
    """Everything posted is noted; GET /received lists it."""
    if request.path == "/received":
        with lock:
            return server.Answer({"count": len(received), "data": received[-200:]})
    note(
        request.path.strip("/").split("/")[0] or "webhook",
        request.headers.get("Host", ""),
        request.body.decode(errors="replace"),
    )
    return server.Answer({"status": "taken"}, 202)


def listen() -> None:
    """Serve SMTP on port 2525."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer(("", 2525), Mail).serve_forever()


if __name__ == "__main__":
    server.background(listen)
    server.serve(8080, answer, lambda: None, "sink")
