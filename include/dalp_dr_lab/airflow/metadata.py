"""Airflow's metadata database in the lab: Debian's PostgreSQL on a private port, never run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.airflow.settings import Settings
from dalp_dr_lab.errors import LabError

# The data is made anew whenever it is lost, so it need not survive a power cut.
_SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}


def programs() -> Path:
    """The folder of the newest PostgreSQL server Debian installed."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if not found:
        raise LabError(
            "This machine has no PostgreSQL server for Airflow's own database. Run `make setup`, or `apt-get install postgresql`."
        )
    return max(found, key=lambda path: float(path.parent.name))


def unprivileged(command: list[str]) -> list[str]:
    """The command as PostgreSQL accepts it: it refuses root, so root runs it as `postgres` in a user namespace.

    Inside, files of root look like files of `postgres`; outside nothing changes hands: folders above may stay closed.
    """
    if os.geteuid() != 0:
        return command
    try:
        user = pwd.getpwnam("postgres")
    except KeyError as error:
        raise LabError("This machine has no user `postgres`. Run `apt-get install postgresql`.") from error
    return ["unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", *command]


def initialise(places: Places, settings: Settings) -> None:
    """Make the data folder, unless it is there; an unfinished one is never taken for a finished one."""
    if (places.database / "PG_VERSION").exists():
        return
    places.home.mkdir(parents=True, exist_ok=True)
    command = [str(programs() / "initdb"), "-D", str(places.database), "-U", "airflow", "--auth=scram-sha-256"]
    command += ["--pwfile=/dev/stdin", "-E", "UTF8", "--no-locale", "-N"]
    done = subprocess.run(unprivileged(command), input=settings.database_password, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise LabError(
            f"PostgreSQL's initdb failed in {places.database}: {done.stderr.strip()[-500:]} "
            "Where user namespaces are forbidden, allow them (sysctl user.max_user_namespaces)."
        )


def server_command(places: Places, settings: Settings) -> list[str]:
    """The server in the foreground, so that its process id is the recorded one."""
    command = [str(programs() / "postgres"), "-D", str(places.database), "-p", str(settings.database_port)]
    for name, value in _SERVER_OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    return unprivileged(command)


def ready(settings: Settings) -> bool:
    """Whether the server answers."""
    command = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(settings.database_port), "-t", "2"]
    return subprocess.run(command, check=False).returncode == 0


def create_database(settings: Settings) -> None:
    """Create Airflow's database, unless it is there."""
    have = _psql(settings, "postgres", "select 1 from pg_database where datname = 'airflow'")
    if have.strip() != "1":
        _psql(settings, "postgres", "create database airflow")


def _psql(settings: Settings, database: str, statement: str) -> str:
    command = [str(programs() / "psql"), "-h", "127.0.0.1", "-p", str(settings.database_port), "-U", "airflow"]
    command += ["-d", database, "-tAXq", "-v", "ON_ERROR_STOP=1", "-c", statement]
    done = subprocess.run(
        command,
        env={**os.environ, "PGPASSWORD": settings.database_password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise LabError(f"Airflow's database refused `{statement}`: {done.stderr.strip()} Look at its log.")
    return done.stdout
