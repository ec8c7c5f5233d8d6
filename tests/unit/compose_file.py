"""docker-compose.yaml as Compose reads it: variables filled from .env.example, anchors merged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docker-compose.yaml"
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Z_]+)(?:(?P<how>:-|:\?)(?P<word>[^}]*))?\}")


def example() -> dict[str, str]:
    """The variables that .env.example sets."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text: str, variables: dict[str, str]) -> str:
    """Compose's interpolation, as far as the file uses it. KeyError when a demanded variable is not set."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        value = variables.get(found["name"], "")
        if not value and found["how"] != ":-":
            raise KeyError(f"{found['name']}: {found['word']}")
        return value or found["word"]

    return VARIABLE.sub(one, text)


def merged() -> dict[str, Any]:
    """The file as one document."""
    document: dict[str, Any] = yaml.safe_load(filled(SOURCE.read_text(), example()))
    return document
