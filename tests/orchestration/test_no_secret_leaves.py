"""Canaries planted where secrets live appear nowhere: not in XCom, log, template, record, capture, bundle or report."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from airflow.sdk import BaseHook

from dalp_dr.errors import FactError, InputError
from dalp_dr.evidence import bundle, records
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.hooks.errors import call_error
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.plan import PlanOperator
from fake_run import FakeRun
from synthetic_drill import CATALOGUE, PROVENANCE, CountFacts

CANARIES = {
    "a Secret": "Canary4Secret7f3a9c51",
    "a connection's password": "Canary4Connection7f3a9c51",
    "a connection's extra": "Canary4Extra7f3a9c51",
    "a DSN": "Canary4Dsn7f3a9c51",
    "an RPC URL": "Canary4RpcKey7f3a9c51b2d4",
    "an exception": "Canary4Exception7f3a9c51",
}
BASE64 = {name: base64.b64encode(value.encode()).decode() for name, value in CANARIES.items()}
DSN = f"postgresql://dalp:{CANARIES['a DSN']}@dalp-pg-rw:5432/dalp"
RPC = f"https://rpc.example/v3/{CANARIES['an RPC URL']}"
SECRET = {
    "kind": "Secret",
    "metadata": {"name": "dalp-signer", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": BASE64["a Secret"]}},
    "data": {"SIGNER_KEY": BASE64["a Secret"]},
}
POD = {
    "kind": "Pod",
    "spec": {
        "containers": [
            {"env": [{"name": "DB_PASSWORD", "value": CANARIES["a DSN"]}, {"name": "RPC_URL", "value": RPC}, {"name": "DSN", "value": DSN}]}
        ]
    },
}


class Careless(DrillOperator):
    """Gathers raw answers full of secrets, and errors that quote them."""

    def gather(self, drill: Drill, context: Any) -> Iterable[Gathered]:
        BaseHook.get_connection("dalp_canary")  # as a hook does before it asks
        raw: dict[str, tuple[str, Any]] = {
            "secret": ("kubernetes: secrets", {"items": [SECRET], "kind": "SecretList"}),
            "pod": ("kubernetes: pods", POD),
        }
        raw["answer"] = ("https: status", " and ".join(CANARIES[f"a connection's {part}"] for part in ("password", "extra")))
        yield Gathered("telemetry", CountFacts(3, 2, ("one is missing",)), captures=raw)
        for number, failing in enumerate(FAILURES):
            yield attempt("configuration", failing, f"part{number}")


def password() -> Gathered:
    connection = BaseHook.get_connection("dalp_canary")
    raise FactError(f"login failed for {connection.login} with {connection.password} ({connection.extra_dejson['token_file']})")


def database() -> Gathered:
    raise RuntimeError(f"could not connect to {DSN}")


def node() -> Gathered:
    raise call_error("read", f"block of {RPC}", 401, f"Unauthorized: Authorization: Bearer {CANARIES['an exception']}")


FAILURES: tuple[Callable[[], Gathered], ...] = (password, database, node)


@pytest.fixture
def planted(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    extra = {"token_file": CANARIES["a connection's extra"]}
    known = {"conn_type": "http", "login": "dalp", "password": CANARIES["a connection's password"], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_CANARY", json.dumps(known))
    return good_run


def assert_clean(text: str, where: str) -> None:
    for name, value in CANARIES.items():
        assert value not in text, f"{name} is in {where}"
        assert BASE64[name].rstrip("=") not in text, f"{name} is in {where}, in base64"


def test_no_canary_is_in_evidence_xcom_or_log(planted: FakeRun, caplog: pytest.LogCaptureFixture) -> None:
    context = planted.context("verify.careless", try_number=2)
    with caplog.at_level(logging.DEBUG), pytest.raises((CheckFailedError, CheckInconclusiveError)) as raised:
        Careless(task_id="careless").execute(context)
    stored = {key: planted.store.get(key) for key in planted.store.list("")}
    errors = [records.decode(data, key).error for key, data in stored.items() if "/records/configuration--part" in key]
    assert len(errors) == len(FAILURES) and all(errors)
    for key, data in stored.items():
        assert_clean(data.decode(errors="replace"), key)
    assert_clean(json.dumps(context["ti"].pushed), "XCom")
    assert_clean(str(raised.value), "the exception of the task")
    assert "crashed" in caplog.text and "Traceback" in caplog.text
    assert_clean(caplog.text, "the task log")


def test_no_canary_is_in_bundle_or_report(planted: FakeRun) -> None:
    from dalp_dr import report
    from dalp_dr.evidence import seal
    from dalp_dr.evidence.verify import verify
    from synthetic_drill import KEY, PUBLIC, SEALED_AT, private_pem

    with pytest.raises((CheckFailedError, CheckInconclusiveError)):
        Careless(task_id="careless").execute(planted.context("verify.careless", try_number=2))
    drill = Drill.open(planted.context())  # type: ignore[arg-type]
    prefix = drill.key("captures") + "/"
    captures = {key.removeprefix(prefix): planted.store.get(key) for key in planted.store.list(prefix)}
    mine = [r for r in drill.records() if r.kind in CATALOGUE["kinds"]]
    whole = seal.seal(bundle.build(drill.plan, mine, captures, PROVENANCE, **CATALOGUE), private_pem(KEY), SEALED_AT)
    for path, data in whole.files.items():
        assert_clean(data.decode(errors="replace"), path)
    assert_clean(report.render_html(report.of(verify(whole, [PUBLIC], **CATALOGUE))), "report.html")


def test_no_canary_is_in_a_refusal(planted: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise InputError(f"The repository {DSN} cannot be read.", f"Correct {RPC}.")

    monkeypatch.setattr(PlanOperator, "request", refuse)
    context = planted.context("plan.freeze")
    with pytest.raises(InputError):
        PlanOperator(task_id="freeze").execute(context)
    assert "repository" in context["ti"].pushed["refusal"]
    assert_clean(json.dumps(context["ti"].pushed), "XCom")


def test_templates_hold_nothing_that_comes_from_a_connection(dagbag: Any) -> None:
    """What Airflow renders and stores is text of ours: no template reads a connection or a variable."""
    for dag in dagbag.dags.values():
        for task in dag.tasks:
            rendered = json.dumps([str(getattr(task, field, "")) for field in task.template_fields])
            assert "conn." not in rendered and "var." not in rendered, task.task_id
