"""support-redis: the few Redis commands that the platform's cache needs, in memory only, with a password."""

from __future__ import annotations

import socketserver
import threading

from . import server, settings

values: dict[bytes, bytes] = {}
lock = threading.Lock()


class Session(socketserver.StreamRequestHandler):
    """One client: RESP arrays in, RESP answers out."""

    authenticated = False

    def handle(self) -> None:
        """Answer commands until the client goes."""
        while words := self._command():
            self.wfile.write(self._answer(words[0].upper(), words[1:]))

    def _command(self) -> list[bytes]:
        line = self.rfile.readline().strip()
        if not line.startswith(b"*"):
            return line.split()
        words = []
        for _ in range(int(line[1:])):
            size = int(self.rfile.readline().strip()[1:])
            words.append(self.rfile.read(size + 2)[:size])
        return words

    def _answer(self, name: bytes, arguments: list[bytes]) -> bytes:
        if name == b"AUTH":
            self.authenticated = bool(arguments) and arguments[-1].decode() == settings.required("REDIS_PASSWORD")
            return b"+OK\r\n" if self.authenticated else b"-WRONGPASS invalid password\r\n"
        if not self.authenticated:
            return b"-NOAUTH Authentication required.\r\n"
        with lock:
            if name == b"PING":
                return b"+PONG\r\n"
            if name == b"SET" and len(arguments) == 2:
                values[arguments[0]] = arguments[1]
                return b"+OK\r\n"
            if name == b"GET" and len(arguments) == 1:
                value = values.get(arguments[0])
                return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
            if name == b"DBSIZE":
                return b":%d\r\n" % len(values)
            if name in (b"FLUSHDB", b"FLUSHALL"):
                values.clear()
                return b"+OK\r\n"
        return b"-ERR unknown command\r\n"


def answer(request: server.Request) -> server.Answer:
    """Nothing but health over HTTP."""
    raise server.not_found(request)


def ready() -> None:
    """Ready when the password is set."""
    settings.required("REDIS_PASSWORD")


def listen() -> None:
    """Serve Redis clients on port 6379."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer(("", 6379), Session).serve_forever()


if __name__ == "__main__":
    server.background(listen)
    server.serve(8080, answer, ready, "support-redis")
