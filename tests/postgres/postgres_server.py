"""A PostgreSQL of the tests' own from Debian's package, with data checksums; psql as the drill uses it; bytes flipped in its files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.hooks.cnpg import CnpgHook
from dalp_dr_lab.airflow.metadata import programs, unprivileged
from sandbox_sample import PLAN

ROOT = Path(__file__).parents[2]
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "64MB",
    "track_commit_timestamp": "on",
    "autovacuum": "off",
    "logging_collector": "off",
}


class Server:
    """One server on a free port; the folder outlives a stop."""

    def __init__(self, folder: Path, checksums: bool = True) -> None:
        self.folder, self.process = folder, None
        folder.parent.mkdir(parents=True, exist_ok=True)
        words = [str(programs() / "initdb"), "-D", str(folder), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "-N"]
        self.run(words + (["--data-checksums"] if checksums else []))
        self.port = free_port()

    @classmethod
    def copy(cls, other: Server, folder: Path) -> Server:
        """A copy of a stopped server's files: what a restore leaves."""
        found = cls.__new__(cls)
        folder.parent.chmod(0o755)
        shutil.copytree(other.folder, folder)
        found.folder, found.process, found.port = folder, None, free_port()
        return found

    def start(self) -> Server:
        words = [str(programs() / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        for name, value in OPTIONS.items():
            words += ["-c", f"{name}={value}"]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(unprivileged(words), stdout=log, stderr=log, cwd="/")
        ready = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        end = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < end and self.process.poll() is None, "the server did not start"
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.run([str(programs() / "pg_ctl"), "-D", str(self.folder), "-m", "fast", "-w", "stop"])
            self.process.wait(timeout=60)
            self.process = None

    def psql(self, given: str, database: str = "postgres", words: tuple[str, ...] = ("-tAXq",)) -> str:
        command = [str(programs() / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, *words]
        done = subprocess.run([*command, "-v", "ON_ERROR_STOP=1"], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def program(self, name: str, *words: str) -> None:
        """A program of PostgreSQL's against this server."""
        command = [str(programs() / name), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *words, "postgres"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def file_of(self, relation: str, database: str = "postgres") -> Path:
        return self.folder / self.psql(f"select pg_relation_filepath('{relation}')", database)

    @staticmethod
    def flip(file: Path, offset: int) -> None:
        """One byte is changed where it lies."""
        with file.open("r+b") as data:
            data.seek(offset)
            byte = data.read(1)
            data.seek(offset)
            data.write(bytes([byte[0] ^ 0xFF]))

    def run(self, words: list[str]) -> None:
        done = subprocess.run(unprivileged(words), capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalCnpg(CnpgHook):
    """The hook with psql started here instead of inside a pod; scripts and answers are the hook's own."""

    def __init__(self, server: Server) -> None:
        super().__init__(SimpleNamespace())  # type: ignore[arg-type]
        self.server = server

    def run(self, namespace: str, cluster: str, command: Any, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        words = [str(programs() / command[0]), *command[1:]]
        if command[0] == "psql":
            words[-1] += f" host=127.0.0.1 port={self.server.port} user=postgres"
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_seconds)
        if done.returncode:
            from dalp_dr_airflow.hooks.pod_exec import CommandError

            raise CommandError(f"{command[0]}: {done.stderr.strip()}", done.returncode, done.stderr)
        return done.stdout


def drill_on(server: Server, database: str = "postgres", **changes: Any) -> Drill:
    """A drill whose sandbox database is this server."""
    from dataclasses import replace

    environment = PLAN.environment
    own = environment.database.model_copy(update={"database": database, **changes})
    found = Drill(PLAN.drill_id, environment.model_copy(update={"database": own}), "test", 1)
    values: Mapping[str, Any] = {"plan": replace(PLAN, environment=found.environment), "cnpg": LocalCnpg(server)}
    found.__dict__.update(values)
    return found


os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
