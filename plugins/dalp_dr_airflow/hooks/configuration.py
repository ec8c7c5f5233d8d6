"""The configuration repository: which commit was in use, what it holds, and what Helm renders from it."""

from __future__ import annotations

import base64
import binascii
import fcntl
import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.model.plan import ConfigurationPoint
from dalp_dr_airflow.hooks.errors import CallError, Missing
from dalp_dr_airflow.hooks.evidence import state_folder
from dalp_dr_airflow.hooks.programs import program, run

_DRILL = {"NAME": "DALP recovery drill", "EMAIL": "recovery-drill@invalid"}
_COMMIT = re.compile(r"^[0-9a-f]{40,64}$")
_BRANCH = re.compile(r"^[A-Za-z0-9][\w./-]*$")
AUTHOR = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _DRILL.items()}
FETCH_TIMEOUT_SECONDS, LOCAL_TIMEOUT_SECONDS, RENDER_TIMEOUT_SECONDS = 120, 30, 60


class ConfigurationHook(BaseHook):
    """Git by the `git` program, in a bare copy of its own; nothing of the repository is ever executed.

    The connection's host is the URL or path. HTTPS takes login and password, SSH `key_file` in the extra.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_configuration_repository"
    conn_type = "git"
    hook_name = "DALP configuration repository"

    def __init__(self, conn_id: str = default_conn_name, cache: Path | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._cache = cache or state_folder() / "cache" / "configuration"

    def commit_at(self, time: str, branch: str) -> ConfigurationPoint | None:
        """The newest commit of the branch's own line that was committed at or before `time` (RFC 3339), None when
        there is none.
        """
        if not _BRANCH.match(branch) or ".." in branch:
            raise InputError(f"{branch!r} is not the name of a branch.", "Correct configuration.branch in the environment file.")
        self._fetch()
        ref = f"refs/heads/{branch}"
        if not self._git("for-each-ref", "--format=%(refname)", ref).strip():
            raise Missing(
                f"The configuration repository has no branch {branch}.",
                "Correct configuration.branch in the environment file.",
            )
        commit = self._git("rev-list", "-1", "--first-parent", f"--before={time}", ref).strip()
        return ConfigurationPoint(commit, self._git("show", "-s", "--format=%cI", commit).strip()) if commit else None

    def read(self, commit: str, path: str) -> str:
        """The text of one file of a commit."""
        self._have(commit)
        return self._git("show", f"{commit}:{_inside(path)}")

    def propose(self, commit: str, branch: str, path: str, text: str, message: str) -> str | None:
        """A branch with one new file on top of a commit, pushed for review; its commit, or None when this connection may not push.

        Only a connection with `"push": true` in its extra may; a branch that is there already is left as it is.
        """
        if not self.get_connection(self.conn_id).extra_dejson.get("push"):
            return None
        self._have(commit)
        ref = f"refs/heads/{branch}"
        if there := self._git("ls-remote", self._url, ref).partition("\t")[0]:
            return there
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "page")
            file.write_text(text, encoding="utf-8")
            own = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            blob = self._git("hash-object", "-w", str(file)).strip()
            self._git("read-tree", commit, more=own)
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{_inside(path)}", more=own)
            tree = self._git("write-tree", more=own).strip()
        made = self._git("commit-tree", tree, "-p", commit, "-m", message, more=AUTHOR).strip()
        self._git("push", "--quiet", self._url, f"{made}:{ref}", timeout_seconds=FETCH_TIMEOUT_SECONDS)
        return made

    def tree(self, commit: str, path: str) -> Path:
        """A folder that holds the files of one folder of a commit, unpacked once and kept."""
        self._have(commit)
        kept = self._cache / "trees" / commit / hashlib.sha256(path.encode()).hexdigest()[:16]
        with self._locked("trees"):
            if not kept.exists():
                self._unpack(commit, _inside(path), kept)
        return kept / _inside(path)

    def render(self, commit: str, chart_path: str, values_path: str, release: str, namespace: str) -> list[dict[str, Any]]:
        """The manifests `helm template` makes of a chart and a values file of one commit, hooks included, tests left
        out.
        """
        import yaml

        chart = self.tree(commit, chart_path)
        with tempfile.TemporaryDirectory() as folder:
            values = Path(folder, "values.yaml")
            values.write_text(self.read(commit, values_path), encoding="utf-8")
            places = {name: folder for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME")}
            text = run(
                [
                    program("helm", "DALP_DR_HELM"),
                    "template",
                    release,
                    str(chart),
                    "--namespace",
                    namespace,
                    "--values",
                    str(values),
                    "--skip-tests",
                ],
                f"render {chart_path} of {commit[:12]}",
                environment=places,
                timeout_seconds=RENDER_TIMEOUT_SECONDS,
            )
        try:
            found = [item for item in yaml.safe_load_all(text.decode()) if item]
        except yaml.YAMLError as error:
            raise CallError(f"{chart_path} of {commit[:12]} renders something that is not YAML: {error}", "Repair the chart.") from None
        if not found:
            raise Missing(f"{chart_path} of {commit[:12]} renders no manifest at all.", "Look at the chart and its values.")
        return found

    @cached_property
    def _repository(self) -> Path:
        return self._cache / f"{hashlib.sha256(self._url.encode()).hexdigest()[:16]}.git"

    @cached_property
    def _url(self) -> str:
        host = self.get_connection(self.conn_id).host or ""
        if not host or host.startswith("-"):
            raise InputError(f"Connection {self.conn_id} names no repository.", "Put its URL or path into the host.")
        return host

    def _fetch(self) -> None:
        with self._locked("git"):
            if not self._repository.exists():
                self._git_program("init", "--quiet", "--bare", str(self._repository))
            self._git(
                "fetch",
                "--quiet",
                "--prune",
                "--no-tags",
                self._url,
                "+refs/heads/*:refs/heads/*",
                timeout_seconds=FETCH_TIMEOUT_SECONDS,
            )

    def _have(self, commit: str) -> None:
        """Fetch only what is not here yet: a commit never changes."""
        if not _COMMIT.match(commit):
            raise InputError(f"{commit!r} is not a commit.", "Look at the plan.")
        try:
            if self._repository.exists():
                self._git("cat-file", "-e", f"{commit}^{{commit}}")
                return
        except CallError:
            self.log.info("Commit %s is not in the local copy yet.", commit)
        self._fetch()
        self._git("cat-file", "-e", f"{commit}^{{commit}}")

    def _git(self, *words: str, timeout_seconds: float = LOCAL_TIMEOUT_SECONDS, more: Mapping[str, str] | None = None) -> str:
        found = self._git_program("--git-dir", str(self._repository), *words, timeout_seconds=timeout_seconds, more=more)
        return found.decode(errors="replace")

    def _git_program(self, *words: str, timeout_seconds: float = LOCAL_TIMEOUT_SECONDS, more: Mapping[str, str] | None = None) -> bytes:
        return run(
            [program("git", "DALP_DR_GIT"), *words],
            f"{self._verb(words)} the configuration repository",
            environment={**self._environment(), **(more or {})},
            timeout_seconds=timeout_seconds,
        )

    @staticmethod
    def _verb(words: tuple[str, ...]) -> str:
        return f"git {next(word for word in words if not word.startswith(('-', '/')))} in"

    def _environment(self) -> dict[str, str]:
        """No prompts, no hooks, no surprising protocols; credentials by environment and never in arguments."""
        connection = self.get_connection(self.conn_id)
        settings = {"core.hooksPath": "/dev/null", "protocol.ext.allow": "never"}
        if connection.login and connection.password and self._url.startswith("https://"):
            pair = base64.b64encode(f"{connection.login}:{connection.password}".encode()).decode()
            settings[f"http.{self._url}.extraHeader"] = f"Authorization: Basic {pair}"
        found = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": str(len(settings))}
        for number, (name, value) in enumerate(settings.items()):
            found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        if key_file := connection.extra_dejson.get("key_file"):
            found["GIT_SSH_COMMAND"] = f"ssh -i {key_file} -o IdentitiesOnly=yes -o BatchMode=yes"
        return found

    def _unpack(self, commit: str, path: str, kept: Path) -> None:
        data = self._git_program("--git-dir", str(self._repository), "archive", "--format=tar", commit, path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=kept.parent))
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(unfinished, filter="data")
            unfinished.rename(kept)
        except (tarfile.TarError, OSError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise CallError(f"{path} of {commit[:12]} cannot be unpacked: {error}", "Look at the repository.") from None

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """One process at a time: tasks of one drill share the copy."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def decode_release(secret: Mapping[str, Any]) -> dict[str, Any]:
    """The Helm release in a release Secret: `{name, version (revision), info, chart, config (values given), manifest,
    ...}`.
    """
    try:
        found = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    except (KeyError, TypeError, ValueError, OSError, EOFError, binascii.Error) as error:
        name = secret.get("metadata", {}).get("name")
        raise CallError(f"Secret {name} is not a Helm release: {type(error).__name__}.", "Look at the release with `helm list`.") from None
    if not isinstance(found, dict) or not {"name", "version", "chart", "manifest"} <= found.keys():
        raise CallError("The Helm release has no name, revision, chart or manifest.", "Look at the release with `helm list`.")
    return found


def _inside(path: str) -> str:
    """A path below the repository's root. InputError otherwise."""
    clean = path.strip("/")
    if not clean or any(part in ("", ".", "..") for part in clean.split("/")) or clean.startswith(("-", ":")):
        raise InputError(
            f"{path!r} is not a path inside the configuration repository.",
            "Correct `configuration` in the environment file.",
        )
    return clean
