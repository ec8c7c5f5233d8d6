"""support-files: templates of the support namespace, served from a volume; needs its own Secret for the listing."""

from __future__ import annotations

import hmac
from pathlib import Path

from . import server, settings, volume


def answer(request: server.Request) -> server.Answer:
    """One static file, or the manifest for whoever has the access token."""
    root = Path(settings.required("DATA_FOLDER"))
    if request.path == f"/{volume.MANIFEST}":
        given = {k.lower(): v for k, v in request.headers.items()}.get("x-access-token", "")
        if not hmac.compare_digest(given, settings.required("ACCESS_TOKEN")):
            raise server.ApiError(401, "DALP-0002", "the access token is not valid")
        return server.Answer((root / volume.MANIFEST).read_bytes(), media_type="text/plain")
    target = (root / request.path.lstrip("/")).resolve()
    if not target.is_relative_to(root / "static") or not target.is_file():
        raise server.not_found(request)
    return server.Answer(target.read_bytes(), media_type="application/octet-stream")


def ready() -> None:
    """Ready when the volume holds what it must and the settings are there."""
    settings.required("ACCESS_TOKEN")
    settings.required("SUPPORT_TIER")
    volume.check(Path(settings.required("DATA_FOLDER")))


if __name__ == "__main__":
    server.serve(8080, answer, ready, "support-files")
