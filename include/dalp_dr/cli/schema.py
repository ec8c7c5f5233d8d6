"""`schema NAME`: the JSON Schema of a document, generated from the types that read it."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from dalp_dr import catalogue
from dalp_dr.decide import SignOff
from dalp_dr.errors import InputError
from dalp_dr.evidence.manifest import Manifest
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPATIBILITY = (
    "A reader refuses a schema_version above its own. Within a version fields are only added, each with a default; "
    "a field is never renamed and never changes its meaning or unit."
)
DOCUMENTS: dict[str, Any] = {"record": Record, "plan": DrillPlan, "manifest": Manifest, "sign_off": SignOff}


def add_to(commands: Any) -> None:
    command = commands.add_parser("schema", help="JSON Schema of a document or of a record kind's facts")
    command.add_argument("name", nargs="?", metavar="NAME", help=f"{', '.join(names())}")
    command.add_argument("--all", action="store_true", help="all of them in one document")
    command.set_defaults(run=run)


def names() -> tuple[str, ...]:
    return ("environment", *DOCUMENTS, *catalogue.KINDS)


def run(chosen: argparse.Namespace) -> int:
    if chosen.all == bool(chosen.name):
        raise InputError("schema: give one name or --all.", f"Names: {', '.join(names())}.")
    print(json.dumps({name: schema(name) for name in names()} if chosen.all else schema(chosen.name), indent=2))
    return 0


def schema(name: str) -> dict[str, Any]:
    """The schema of one document. Raises InputError for a name that is not known."""
    if name == "environment":
        return {"$schema": DIALECT, "title": name, **Environment.model_json_schema()}
    subject = DOCUMENTS.get(name) or (catalogue.KINDS[name].facts if name in catalogue.KINDS else None)
    if subject is None:
        raise InputError(f"schema: {name!r} is not a document of ours.", f"Names: {', '.join(names())}.")
    return {
        "$schema": DIALECT,
        "title": name,
        "$comment": COMPATIBILITY,
        **msgspec.json.schema(subject, schema_hook=_foreign),
    }


def _foreign(kind: type) -> dict[str, Any]:
    """Types msgspec does not know: the environment inside a plan has a schema of its own."""
    if kind is Environment:
        return {"type": "object", "description": "see the schema `environment`"}
    raise NotImplementedError(kind)
