"""python -m dalp_dr_lab.weather LISTEN TARGET [--rules FILE] [--certificate FILE --key FILE]: the proxy until it is ended.

LISTEN and TARGET are `host:port`; TARGET is asked without TLS. FILE of --rules holds a JSON list of rules.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from dalp_dr_lab.weather.proxy import Server, serving
from dalp_dr_lab.weather.rules import Weather, from_json


def main(argv: Sequence[str]) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab.weather", description=__doc__)
    parser.add_argument("listen")
    parser.add_argument("target")
    for name in ("--rules", "--certificate", "--key"):
        parser.add_argument(name, type=Path)
    asyncio.run(_serve(parser.parse_args(list(argv))))


async def _serve(given: argparse.Namespace) -> None:
    host, _, port = given.listen.rpartition(":")
    target, _, target_port = given.target.rpartition(":")
    tls = None
    if given.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.certificate, given.key)
    weather = Weather(from_json(json.loads(given.rules.read_text())) if given.rules else [])
    async with serving(Server(target, int(target_port)), weather, host, int(port), tls):
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
