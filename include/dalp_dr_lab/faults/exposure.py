"""Faults that would bring something of production into a sandbox."""

from __future__ import annotations

import json

from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature.credentials import LABELS, secret

CUSTODY, FEED = "dalp-custody", "dalp-feed"
APPLICATION = "dalp-daily"


def _custody_key(lab: Lab, notes: Notes) -> None:
    """A new custody provider gets its key, and nobody tells the environment file of the drills."""
    made = secret("dalp", CUSTODY, {"API_KEY": "custody-key", "API_SECRET": "custody-secret"})
    lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(made))


def _no_custody_key(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "delete", "secret", CUSTODY, "--ignore-not-found")


def _full_name(lab: Lab, notes: Notes) -> None:
    """A setting that names a database by its full name: in the sandbox that is production's."""
    data = {"DATABASE_URL": "postgres://dalp-pg-rw.dalp.svc.cluster.local:5432/dalp", "CALLBACK": "https://api.dalp.example.com/feed"}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FEED, "namespace": "dalp", "labels": LABELS}, "data": data}
    lab.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(made))


def _no_full_name(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "delete", "configmap", FEED, "--ignore-not-found")


FAULTS = (
    Fault(
        "undeclared-secret",
        "The backup holds the key of a new custody provider that the environment file neither seals nor declares.",
        ("secrets_declared",),
        _custody_key,
        _no_custody_key,
        outcome="refused",
        schedules=(APPLICATION,),
        group="preflight-2",
    ),
    Fault(
        "production-address",
        "The backup holds a setting that names production's database and production's host in full.",
        ("references_rewritten",),
        _full_name,
        _no_full_name,
        outcome="refused",
        schedules=(APPLICATION,),
        group="preflight-2",
    ),
)
