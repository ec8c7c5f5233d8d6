"""Settings of a service: environment variables, filled by ConfigMaps and Secrets of its own namespace."""

from __future__ import annotations

import os

VERSION = "3.4.0"
SCHEMA_VERSION = 1
NOT_CONFIGURED = "sealed"  # the KIND of a credential that was taken away on purpose


class SettingsError(Exception):
    """A setting is missing or unusable; the service is not ready until it is there."""


def required(name: str) -> str:
    """The setting; SettingsError when it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"setting {name} is missing")
    return value


def number(name: str) -> int:
    """The setting as a whole number."""
    text = required(name)
    if not text.isdigit():
        raise SettingsError(f"setting {name} is no whole number")
    return int(text)
