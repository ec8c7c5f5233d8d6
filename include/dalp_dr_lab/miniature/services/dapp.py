"""dalp-dapp: the console's page. Stateless; ready when the API is ready and is the build it belongs to."""

from __future__ import annotations

import html
import json
import urllib.request

from . import server, settings

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>DALP</title></head>
<body><h1>Asset console</h1>
<p id="build">build {build}</p><p id="api">API {api}</p><p id="host">{host}</p></body></html>
"""


def fetch(path: str) -> dict:
    """GET from the API, parsed; an error status raises."""
    with urllib.request.urlopen(settings.required("API_URL") + path, timeout=5) as reply:
        return json.load(reply)


def answer(request: server.Request) -> server.Answer:
    """The page, with the versions of both builds."""
    if request.path != "/":
        raise server.not_found(request)
    words = {"build": settings.VERSION, "api": fetch("/api/v2/spec.json")["info"]["version"]}
    words["host"] = settings.required("DAPP_HOST")
    page = PAGE.format(**{name: html.escape(word) for name, word in words.items()})
    return server.Answer(page.encode(), media_type="text/html; charset=utf-8")


def ready() -> None:
    """Ready when the API is ready and of the same version."""
    settings.required("DAPP_HOST")
    fetch("/health/ready")
    if (found := fetch("/api/v2/spec.json")["info"]["version"]) != settings.VERSION:
        raise settings.SettingsError(f"the API is build {found}, this page is build {settings.VERSION}")


if __name__ == "__main__":
    server.serve(3000, answer, ready, "dalp-dapp")
