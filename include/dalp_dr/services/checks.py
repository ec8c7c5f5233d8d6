"""Record kinds and checks of the restored services."""

from __future__ import annotations

from dalp_dr.model.check import Check, Stage
from dalp_dr.model.record import RecordKind
from dalp_dr.services import health, journey, route_switch, software, start

KINDS: tuple[RecordKind, ...] = (
    RecordKind("service_start", start.StartFacts, Stage.START, lambda plan: ()),  # where the time went: health is checked, not this
    RecordKind("application_health", health.ApplicationHealth, Stage.START, seed_row="Application health checks"),
    RecordKind("user_journey", journey.UserJourney, Stage.RECONCILE),
    RecordKind("route_switch", route_switch.RouteSwitch, Stage.ROUTE_SWITCH, route_switch.subjects),
    RecordKind("software", software.Software, Stage.MEASURE),  # provenance: no check asks for it
)

CHECKS: tuple[Check, ...] = (
    Check(
        "services_healthy",
        "application_health",
        None,
        Stage.START,
        "Do API, dapp, workers and indexer serve on restored state?",
        health.services_healthy,
        "Read the log of the named service's pod in the sandbox.",
        "services.md#health",
        full_only=True,
    ),
    Check(
        "sessions_on_restored_database",
        "application_health",
        None,
        Stage.START,
        "Are the services connected to the restored database, and nobody else?",
        health.sessions_on_restored_database,
        "Find the setting that names another database and declare it in the environment file.",
        "services.md#sessions",
        full_only=True,
    ),
    Check(
        "journey_reads_reconciled_values",
        "user_journey",
        None,
        Stage.RECONCILE,
        "Does a user see the reconciled values?",
        journey.journey_reads_reconciled_values,
        "Compare the step's answer with the reconciliation record.",
        "services.md#user-journey",
        full_only=True,
    ),
    Check(
        "route_moves_clients",
        "route_switch",
        None,
        Stage.ROUTE_SWITCH,
        "Does the switch bring clients to the restored stack?",
        route_switch.judge_moved,
        "Look at the entrance's mapping and at the policy that lets it into the sandbox; then clear the task.",
        "route-switch.md#clients-are-not-moved",
        full_only=True,
        since=2,
    ),
    Check(
        "route_moves_back",
        "route_switch",
        None,
        Stage.ROUTE_SWITCH,
        "Are the public hosts mapped as before?",
        route_switch.judge_back,
        "Put the mapping back by hand, as the record has it under `before`, now.",
        "route-switch.md#not-mapped-as-before",
        full_only=True,
        since=2,
    ),
    Check(
        "route_moves_in_time",
        "route_switch",
        None,
        Stage.ROUTE_SWITCH,
        "Is the switch quick enough?",
        route_switch.judge_in_time,
        "Look for caches and time to live of names between clients and the entrance.",
        "route-switch.md#too-slow",
        full_only=True,
        since=2,
    ),
)
