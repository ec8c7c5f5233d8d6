"""An object store that answers ListObjectVersions with pages made beforehand, each after a fixed time. Prints its port.

Arguments: keys below each prefix, number of prefixes, milliseconds a page. It is neither side of a benchmark: a process of
its own, so that no side pays for it.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from version_pages import pages, prefixes

keys, count, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) / 1000
BODIES = {prefix: pages(prefix, keys) for prefix in prefixes(count)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        key, version = (asked.get(name, [""])[0] for name in ("key-marker", "version-id-marker"))
        body = BODIES[asked["prefix"][0]][f"{key}\0{version}" if key else ""]
        time.sleep(seconds)
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
