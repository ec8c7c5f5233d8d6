"""Bad parameters are refused by name before anything is written; recovery points and addresses are frozen once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dalp_dr import planning
from dalp_dr.errors import InputError, ParameterError
from dalp_dr.model import environment_file
from dalp_dr.model.check import Surface
from dalp_dr.model.environment import FROM_CONNECTION, Route
from sandbox_sample import ADDRESSES, ASKED, LAB_FILE

LAB = environment_file.read(LAB_FILE)


def request(asked_at: datetime = ASKED, **params: Any) -> planning.Request:
    return planning.request(params, "quarterly_drill", "run-1", asked_at, "sam", "quarterly")


def test_without_parameters_it_is_a_drill_over_everything_to_the_latest_point() -> None:
    asked = request()
    assert (asked.surfaces, asked.policy, asked.value, asked.keep_sandbox) == (tuple(Surface), "latest", None, False)


GOOD: dict[str, dict[str, Any]] = {
    "latest": {"target_policy": "latest"},
    "random": {"target_policy": "random", "target_value": ""},
    "edge with a value": {"target_policy": "edge", "target_value": "oldest"},
    "a timestamp": {"target_policy": "timestamp", "target_value": "2026-10-05T07:30:00Z"},
    "a timestamp of another zone": {"target_policy": "timestamp", "target_value": "2026-10-06T07:30:00+02:00"},
    "the moment itself": {"target_policy": "timestamp", "target_value": "2026-10-06T06:00:00Z"},
    "one surface": {"surfaces": ["database"]},
    "objects with the rows that name them": {"surfaces": ["object_storage", "database"]},
}


@pytest.mark.parametrize("case", GOOD)
def test_good(case: str) -> None:
    asked = request(**GOOD[case])
    assert asked.surfaces == tuple(Surface(s) for s in GOOD[case].get("surfaces", list(Surface)))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown policy": ({"target_policy": "newest"}, "target_policy: 'newest' is none of latest, random, edge, timestamp."),
    "a policy of another type": ({"target_policy": 7}, "target_policy: 7 is none of"),
    "a timestamp without a value": ({"target_policy": "timestamp"}, "target_value: None is not a time."),
    "a timestamp that is none": ({"target_policy": "timestamp", "target_value": "yesterday"}, "target_value: 'yesterday' is not a time."),
    "a timestamp without a zone": (
        {"target_policy": "timestamp", "target_value": "2026-10-05T07:30:00"},
        "target_value: '2026-10-05T07:30:00' has no time zone.",
    ),
    "a day without a zone": ({"target_policy": "timestamp", "target_value": "2026-10-05"}, "target_value: '2026-10-05' has no time zone."),
    "the future": (
        {"target_policy": "timestamp", "target_value": "2026-10-06T06:00:01Z"},
        "target_value: 2026-10-06T06:00:01Z lies in the future.",
    ),
    "a value that the policy does not take": ({"target_policy": "random", "target_value": "7"}, "target_value: '7' is given, but"),
    "an unknown surface": ({"surfaces": ["database", "network"]}, "surfaces: 'network' is not a valid Surface."),
    "text for a list": ({"surfaces": "database"}, "surfaces: 'd' is not a valid Surface."),
    "a surface twice": ({"surfaces": ["database", "database"]}, "surfaces: a surface is named twice."),
    "objects without rows": ({"surfaces": ["object_storage"]}, "surfaces: object_storage cannot be checked without database"),
    "configuration without objects": (
        {"surfaces": ["configuration"]},
        "surfaces: configuration cannot be checked without kubernetes_resources",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad(case: str) -> None:
    params, message = BAD[case]
    with pytest.raises(ParameterError) as raised:
        request(**params)
    assert str(raised.value).startswith(message)
    assert raised.value.next_step, "it says what to write instead"


def test_a_request_is_the_same_in_every_task_and_every_rerun() -> None:
    here = request(ASKED.astimezone(timezone(timedelta(hours=9))))
    assert (here.drill_id, here.asked, here.seed) == (request().drill_id, request().asked, request().seed)
    assert request().asked == "2026-10-06T06:00:00+00:00"


ROUTES: dict[str, tuple[str, tuple[str, int] | None]] = {
    "host and port": ("http://10.9.0.1:8333", ("10.9.0.1", 8333)),
    "https": ("https://store.example.com/path", ("store.example.com", 443)),
    "http": ("http://store.example.com", ("store.example.com", 80)),
    "an address in brackets": ("http://[fd00::1]:8545", ("fd00::1", 8545)),
    "a user before the host": ("https://user:secret@rpc.example.com:8545", ("rpc.example.com", 8545)),
    "no scheme": ("store.example.com:8333", None),
    "no host": ("http://:8333", None),
    "a scheme without a port of its own": ("s3://store", None),
    "a port that is no number": ("http://store:door", None),
    "a port beyond the last": ("http://store:99999", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize("case", ROUTES)
def test_routes_from_connections(case: str) -> None:
    url, expected = ROUTES[case]
    if expected is None:
        with pytest.raises(InputError, match=r"^rpc: connection URL .* has no host and port") as raised:
            planning.route(url, "rpc")
        assert "sandbox.routes.rpc" in raised.value.next_step
    else:
        assert planning.route(url, "rpc") == Route(address=expected[0], port=expected[1])


def test_a_complaint_about_a_connection_shows_no_password() -> None:
    with pytest.raises(InputError) as raised:
        planning.route("s3://user:hunter2@store", "rpc")
    assert "hunter2" not in raised.value.diagnostics()


def test_addresses_that_are_left_out_are_filled_in() -> None:
    resolved = planning.resolve(LAB, ADDRESSES, "http://10.9.0.1:8333")
    assert {name: getattr(resolved.sandbox.routes, name) for name in ADDRESSES} == ADDRESSES
    assert resolved.database.archive_endpoint == "http://10.9.0.1:8333"
    assert LAB.sandbox.routes.rpc == FROM_CONNECTION, "the document as written is not changed"


def test_an_address_that_the_environment_names_wins() -> None:
    own = Route(address="192.0.2.7", port=443)
    routes = LAB.sandbox.routes.model_copy(update={"rpc": own})
    named = LAB.model_copy(
        update={
            "sandbox": LAB.sandbox.model_copy(update={"routes": routes}),
            "database": LAB.database.model_copy(update={"archive_endpoint": "https://archive.example.com"}),
        }
    )
    resolved = planning.resolve(named, ADDRESSES, "http://10.9.0.1:8333")
    assert (resolved.sandbox.routes.rpc, resolved.database.archive_endpoint) == (own, "https://archive.example.com")
    assert resolved.sandbox.routes.kubernetes_api == ADDRESSES["kubernetes_api"]


def a_backup(schedule: str, hour: int) -> dict[str, Any]:
    times = {"startTimestamp": f"2026-10-06T{hour:02d}:00:00Z", "completionTimestamp": f"2026-10-06T{hour:02d}:01:00Z"}
    return {
        "metadata": {"name": f"{schedule}-{hour}", "labels": {"velero.io/schedule-name": schedule}},
        "status": {"phase": "Completed", **times},
    }


def test_one_backup_a_namespace_and_none_younger_than_the_incident() -> None:
    found = [a_backup(n.schedule, hour) for n in LAB.source.namespaces for hour in (1, 3, 8)]
    chosen = planning.choose_backups(LAB, iter(found), "2026-10-06T06:00:00Z")
    assert [b.backup for b in chosen] == [f"{n.schedule}-3" for n in LAB.source.namespaces]


def test_a_namespace_without_a_backup_is_left_out_for_preflight_to_refuse() -> None:
    chosen = planning.choose_backups(LAB, [a_backup("dalp-daily", 1)], "2026-10-06T06:00:00Z")
    assert [b.role for b in chosen] == ["app"]


def test_a_plan_keeps_the_digest_of_what_was_written_not_of_what_was_resolved() -> None:
    resolved = planning.resolve(LAB, ADDRESSES, "http://10.9.0.1:8333")
    plan = planning.freeze(request(), LAB, resolved, "2026-10-06T06:00:00Z", None, (), None)
    assert plan.environment_digest == environment_file.digest(LAB) != environment_file.digest(resolved)
    assert (plan.asked_at, plan.incident_time, plan.objects.at) == (request().asked, "2026-10-06T06:00:00Z", "2026-10-06T06:00:00Z")


@pytest.mark.parametrize(("surfaces", "full"), [([s.value for s in reversed(Surface)], True), (["database"], False)])
def test_only_all_five_surfaces_are_a_full_drill(surfaces: list[str], full: bool) -> None:
    plan = planning.freeze(request(surfaces=surfaces), LAB, LAB, ASKED.astimezone(UTC).isoformat(), None, (), None)
    assert plan.full is full
