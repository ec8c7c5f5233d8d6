"""Which images ran in the sandbox: the digests of what was proven, beside the names it goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Image:
    """One image as a container runtime resolved it; `digest` is empty when it named none. `containers`: how many ran it."""

    name: str
    digest: str
    containers: int


@dataclass(frozen=True)
class Software:
    """Images of all containers of the sandbox, by name."""

    images: tuple[Image, ...]


def facts_from(pods: Iterable[Mapping[str, Any]]) -> Software:
    """From the pods of the sandbox; a container that never started ran nothing."""
    counted: dict[tuple[str, str], int] = {}
    for key in (key for pod in pods for key in _images(pod)):
        counted[key] = counted.get(key, 0) + 1
    return Software(tuple(Image(name, digest, count) for (name, digest), count in sorted(counted.items())))


def _images(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    status = pod.get("status") or {}
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in (c for c in status.get(part) or () if {"running", "terminated"} & set(c.get("state") or {})):
            found = str(container.get("imageID") or "")
            yield str(container.get("image") or ""), found[found.find("sha256:") :] if "sha256:" in found else ""
