"""A row every two seconds with the clock and the WAL position: the newest one says how far a restored database got."""

from __future__ import annotations

import time

from . import server
from .database import Database

INTERVAL_SECONDS = 2


def run(application_name: str) -> None:
    """Write for ever; a database that is away is tried again at the next beat."""
    database = Database(application_name)
    while True:
        try:
            database.rows("insert into heartbeat default values returning id")
        except Exception as error:
            server.log(f"heartbeat: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
        time.sleep(INTERVAL_SECONDS)
