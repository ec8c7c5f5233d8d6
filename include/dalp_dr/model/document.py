"""The base of every document that a person writes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Frozen; unknown fields are refused, so that a typing mistake is found."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
