"""A mail server that keeps each mail as a file: where the lab's drills report to. Runs by itself: mailbox.py HOST:PORT FOLDER."""

from __future__ import annotations

import socketserver
import sys
import time
from pathlib import Path


class Session(socketserver.StreamRequestHandler):
    """Enough of SMTP (RFC 5321) to take a message."""

    folder: Path

    def handle(self) -> None:
        """One session."""
        self.wfile.write(b"220 mailbox\r\n")
        while line := self.rfile.readline():
            word = line.strip().upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.keep()
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")

    def keep(self) -> None:
        """The message up to its closing dot."""
        lines = []
        while (part := self.rfile.readline()) and part.strip() != b".":
            lines.append(part)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{time.time_ns()}.eml").write_bytes(b"".join(lines))


def main(words: list[str]) -> None:
    """Serve until killed."""
    host, _, port = words[0].rpartition(":")
    Session.folder = Path(words[1])
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer((host, int(port)), Session).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
