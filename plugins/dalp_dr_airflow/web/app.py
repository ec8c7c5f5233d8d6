"""The pages: list of drills, one drill with its files, runbooks. Reads only; every route asks who is there."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from dalp_dr import naming
from dalp_dr.errors import InputError
from dalp_dr.report import runbook, style
from dalp_dr.text import moment, seconds, visible
from dalp_dr_airflow.web import files
from dalp_dr_airflow.web.posture import standings

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store"}
SHOWN = ("drill_id", "environment", "decision", "outcome", "run_id", "dag_id", "bundle_sha256", "ledger_head")


def make() -> FastAPI:
    """The application that Airflow mounts below /drills."""
    app = FastAPI(
        title="DALP recovery drills",
        dependencies=[Depends(get_user)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(InputError, _not_there)
    app.get("/")(index)
    app.get("/run")(run)
    app.get("/posture")(posture)
    app.get("/runbooks/{name}.html")(runbook_page)
    app.get("/{drill_id}/")(drill)
    app.get("/{drill_id}/bundle.tar")(bundle)
    app.get("/{drill_id}/{name}")(file)
    return app


async def _not_there(request: Request, error: Exception) -> Response:
    step = getattr(error, "next_step", "")
    return HTMLResponse(style.page("nothing.html.j2", why=visible(error), step=visible(step)), 404, HEADERS)


def index() -> Response:
    """Every drill, newest first, and what may be published."""
    page = style.page("drills.html.j2", drills=[_row(s) for s in files.drills()], claims=_claims(), postures=standings())
    return HTMLResponse(page, headers=HEADERS)


def run(dag_id: Annotated[str, Query(max_length=250)], run_id: Annotated[str, Query(max_length=250)]) -> Response:
    """Leads from a run of a DAG to its drill."""
    found = files.drill_of(dag_id, run_id)
    if found is None:
        raise InputError("This run has no evidence yet.", "A drill writes its report when it is sealed.")
    return RedirectResponse(f"{found}/", 307, HEADERS)


def posture() -> Response:
    """Every question of the hourly watch with its answer, the worst first; an old answer is said to be old."""
    return HTMLResponse(style.page("posture.html.j2", environments=standings()), headers=HEADERS)


def runbook_page(name: str) -> Response:
    """One runbook."""
    return HTMLResponse(runbook.render(name), headers=HEADERS)


def drill(drill_id: str) -> Response:
    """Decision, reasons with their runbook sections, and the files of one drill."""
    files.path(drill_id, "summary.json")
    summary = files.summary(drill_id)
    reasons = [{k: visible(v) for k, v in r.items() if not isinstance(v, list)} for r in summary.get("reasons") or ()]
    present = [name for name in files.SHOWN if (files.folder(drill_id) / name).is_file()]
    whole = (files.folder(drill_id) / "bundle" / "manifest.json").is_file()
    page = style.page("drill.html.j2", drill=_row(summary), reasons=reasons, files=present, bundle=whole, link=naming.runbook_page)
    return HTMLResponse(page, headers=HEADERS)


def bundle(drill_id: str) -> Response:
    """The bundle to take away and check."""
    data = files.archive(drill_id)
    named = {"Content-Disposition": f'attachment; filename="{drill_id}.tar"'}
    return Response(data, media_type="application/x-tar", headers={**HEADERS, **named})


def file(drill_id: str, name: str) -> Response:
    """Report or summary as the drill wrote it."""
    found = files.path(drill_id, name)
    return Response(found.read_bytes(), media_type=files.SHOWN[name], headers=HEADERS)


def _row(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary in words, safe to look at."""
    words = {key: visible(summary.get(key) or "") for key in SHOWN}
    rto, rtt = summary.get("rto_seconds"), summary.get("rtt_seconds")
    started = str(summary.get("started_at") or "")
    return {**words, "started": moment(started) if started else "unknown", "rto": seconds(rto), "rtt": seconds(rtt)}


def _claims() -> list[dict[str, Any]]:
    found = files.claims().get("environments") or {}
    return [
        {
            "environment": visible(name),
            "publishable": bool(said.get("publishable")),
            "why": [visible(w) for w in [*(said.get("withdrawn_because") or ()), *(said.get("not_earned_because") or ())]],
            "open": len(said.get("open_reasons") or ()),
        }
        for name, said in sorted(found.items())
        if isinstance(said, dict)
    ]
