"""The configuration repository with the real git, Helm releases, and the two programs' failures."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks import programs
from dalp_dr_airflow.hooks.configuration import ConfigurationHook, decode_release
from dalp_dr_airflow.hooks.errors import CallError, Missing, NoAnswer


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits on main, an hour apart; the second came by a merge of a branch that is older."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*words: str, at: str = "2026-11-23T10:00:00+00:00") -> None:
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", *words],
            cwd=folder,
            check=True,
            capture_output=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_COMMITTER_DATE": at,
                "GIT_AUTHOR_DATE": "2020-01-01T00:00:00+00:00",
                "HOME": str(tmp_path),
            },
        )

    def commit(values: str, at: str) -> None:
        (folder / "values").mkdir(exist_ok=True)
        (folder / "charts/dalp/templates").mkdir(parents=True, exist_ok=True)
        (folder / "charts/dalp/Chart.yaml").write_text("name: dalp\nversion: 1.0.0\n")
        (folder / "charts/dalp/templates/a.yaml").write_text("kind: ConfigMap\n")
        (folder / "values/dalp.yaml").write_text(values)
        git("add", "-A", at=at)
        git("commit", "-q", "-m", "a change", at=at)

    git("init", "-q", "-b", "main")
    commit("replicas: 1\n", "2026-11-23T10:00:00+00:00")
    git("checkout", "-q", "-b", "side")
    commit("replicas: 9\n", "2026-11-23T10:30:00+00:00")
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "-m", "merge", "side", at="2026-11-23T11:00:00+00:00")
    commit("replicas: 3\n", "2026-11-23T12:00:00+00:00")
    return folder


@pytest.fixture
def hook(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigurationHook:
    monkeypatch.setenv("AIRFLOW_CONN_CONFIGURATION", json.dumps({"conn_type": "git", "host": str(repository)}))
    return ConfigurationHook("configuration", tmp_path / "cache")


@pytest.mark.parametrize(
    ("time", "values"),
    [
        ("2026-11-23T13:00:00Z", "replicas: 3\n"),
        ("2026-11-23T12:00:00Z", "replicas: 3\n"),
        ("2026-11-23T11:30:00+00:00", "replicas: 9\n"),
        ("2026-11-23T10:45:00Z", "replicas: 1\n"),
        ("2026-11-23T11:45:00+01:00", "replicas: 1\n"),
    ],
)
def test_the_commit_in_use_at_a_time(time: str, values: str, hook: ConfigurationHook) -> None:
    point = hook.commit_at(time, "main")
    assert point is not None
    assert hook.read(point.commit, "values/dalp.yaml") == values


def test_the_commits_own_time_is_kept(hook: ConfigurationHook) -> None:
    point = hook.commit_at("2026-11-23T11:30:00Z", "main")
    assert point is not None
    assert point.committed_at == "2026-11-23T11:00:00+00:00"


def test_before_the_first_commit_there_is_none(hook: ConfigurationHook) -> None:
    assert hook.commit_at("2026-11-23T09:00:00Z", "main") is None


def test_a_newer_commit_is_fetched(hook: ConfigurationHook, repository: Path, tmp_path: Path) -> None:
    hook.commit_at("2026-11-23T13:00:00Z", "main")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_COMMITTER_DATE": "2026-11-23T14:00:00+00:00"}
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-q", "--allow-empty", "-m", "x"],
        cwd=repository,
        check=True,
        env=environment,
    )
    point = hook.commit_at("2026-11-23T15:00:00Z", "main")
    assert point is not None
    assert point.committed_at == "2026-11-23T14:00:00+00:00"


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "a b", ""])
def test_a_doubtful_branch_is_refused(branch: str, hook: ConfigurationHook) -> None:
    with pytest.raises(InputError):
        hook.commit_at("2026-11-23T13:00:00Z", branch)


def test_what_is_not_there(hook: ConfigurationHook, monkeypatch: pytest.MonkeyPatch) -> None:
    point = hook.commit_at("2026-11-23T13:00:00Z", "main")
    assert point is not None
    with pytest.raises(Missing, match="no branch other"):
        hook.commit_at("2026-11-23T13:00:00Z", "other")
    with pytest.raises(CallError, match="does not exist"):
        hook.read(point.commit, "values/other.yaml")
    with pytest.raises(CallError):
        hook.read("0" * 40, "values/dalp.yaml")
    for path in ("../x", "/", "a/../../x", "--help"):
        with pytest.raises(InputError):
            hook.read(point.commit, path)
    monkeypatch.setenv("AIRFLOW_CONN_CONFIGURATION", json.dumps({"conn_type": "git", "host": "/nowhere/at/all"}))
    with pytest.raises(CallError):
        ConfigurationHook("configuration", hook._cache / "other").commit_at("2026-11-23T13:00:00Z", "main")


def fake_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = tmp_path / "helm"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("DALP_DR_HELM", str(program))


def test_rendering_gives_helm_the_commits_chart_and_values(
    hook: ConfigurationHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_helm(
        tmp_path,
        monkeypatch,
        'echo "kind: ConfigMap"; echo "arguments: [$1, $2, $4, $5]"; cat "$7" "$3/Chart.yaml"; echo "---"; echo "---"',
    )
    point = hook.commit_at("2026-11-23T11:30:00Z", "main")
    assert point is not None
    assert hook.render(point.commit, "charts/dalp", "values/dalp.yaml", "dalp", "production") == [
        {
            "kind": "ConfigMap",
            "arguments": ["template", "dalp", "--namespace", "production"],
            "replicas": 9,
            "name": "dalp",
            "version": "1.0.0",
        }
    ]


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("echo 'Error: values missing' >&2; exit 1", CallError, "values missing"),
        ("true", Missing, "no manifest"),
        ("echo '{'", CallError, "not YAML"),
    ],
)
def test_a_chart_that_does_not_render_is_an_error(
    body: str,
    kind: type[CallError],
    said: str,
    hook: ConfigurationHook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_helm(tmp_path, monkeypatch, body)
    point = hook.commit_at("2026-11-23T13:00:00Z", "main")
    assert point is not None
    with pytest.raises(kind, match=said):
        hook.render(point.commit, "charts/dalp", "values/dalp.yaml", "dalp", "production")


def test_no_helm_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALP_DR_HELM", "/nowhere/helm")
    with pytest.raises(InputError, match="DALP_DR_HELM names /nowhere/helm"):
        programs.program("helm", "DALP_DR_HELM")


def test_a_program_has_a_time_limit_and_sees_no_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "hunter22")
    assert b"hunter22" not in programs.run(["env"], "look")
    with pytest.raises(NoAnswer):
        programs.run(["sleep", "5"], "wait", timeout_seconds=0.05)


RELEASE = {
    "name": "dalp",
    "version": 3,
    "info": {"status": "deployed"},
    "chart": {"metadata": {"version": "3.4.0"}},
    "config": {"a": 1},
    "manifest": "x",
}


def secret(data: bytes) -> dict[str, object]:
    return {"metadata": {"name": "sh.helm.release.v1.dalp.v3"}, "data": {"release": base64.b64encode(data).decode()}}


def test_a_release_is_unpacked() -> None:
    assert decode_release(secret(base64.b64encode(gzip.compress(json.dumps(RELEASE).encode())))) == RELEASE


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": {}, "data": {}},
        secret(b"not base64 !"),
        secret(base64.b64encode(b"not gzip")),
        secret(base64.b64encode(gzip.compress(b"not json"))),
        secret(base64.b64encode(gzip.compress(b'{"name": "x"}'))),
        secret(base64.b64encode(gzip.compress(json.dumps(RELEASE).encode())[:-9])),
    ],
)
def test_something_else_is_no_release(broken: dict[str, object]) -> None:
    with pytest.raises(CallError):
        decode_release(broken)


def test_a_page_is_proposed_as_a_branch_where_the_connection_may_push(
    hook: ConfigurationHook, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = hook.commit_at("2026-11-23T13:00:00Z", "main")
    assert point is not None
    words = (point.commit, "recovery-drill/d-1", "runbooks/missing-steps/d-1.md", "# A step\n", "runbooks: a step")
    assert hook.propose(*words) is None, "a connection that only reads pushes nothing"
    monkeypatch.setenv("AIRFLOW_CONN_CONFIGURATION", json.dumps({"conn_type": "git", "host": str(repository), "extra": {"push": True}}))
    made = hook.propose(*words)
    assert made is not None and hook.propose(*words) == made, "a second decision leaves the branch as it is"

    def git(*asked: str) -> str:
        return subprocess.run(["git", "-C", str(repository), *asked], capture_output=True, text=True, check=True).stdout.strip()

    assert git("show", f"{made}:runbooks/missing-steps/d-1.md") == "# A step"
    assert git("rev-parse", f"{made}^") == point.commit and git("rev-parse", "recovery-drill/d-1") == made
    assert git("diff", "--stat", point.commit, made).endswith("1 file changed, 1 insertion(+)")
