"""B3: the chain's transfers against the index, on a real node."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalp_dr_lab.setup.tools import folder as tools_folder
from harness import Side, compare, run

EVENTS = 20_000


@pytest.fixture
def node(tmp_path: Path) -> Iterator[str]:
    """The URL of an anvil of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(tools_folder() / "anvil"), "--port", str(port), "--chain-id", "31337", "--gas-limit", "300000000", "--silent"]
    process = subprocess.Popen([*words, "--no-request-size-limit"], env={**os.environ, "HOME": str(tmp_path)})
    try:
        until = time.monotonic() + 30
        while not _answers(f"http://127.0.0.1:{port}"):
            assert process.poll() is None and time.monotonic() < until, "anvil did not start"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=2) as answer:
            return bool(json.load(answer)["result"])
    except OSError:
        return False


def test_reading_events_costs_a_thirtieth_of_web3(node: str, tmp_path: Path) -> None:
    made = run(Side("chain", "chain_of_events.py", (node, str(EVENTS), str(tmp_path))))
    assert made.items == EVENTS
    given = (node, str(tmp_path / "ranges.json"), str(tmp_path / "rows.json"))
    result, ours, _ = compare(
        "B3",
        "transfers of the chain against the index, five rows changed; web3 contract.events and a dictionary",
        f"{EVENTS:,} events",
        Side("digests of ranges", "events_by_ranges.py", given),
        Side("web3 contract.events", "events_by_web3.py", given),
        goal=30,
        measure="cpu",
        notes=("The index's digests are PostgreSQL's work in a drill and not in these figures; the rows of ranges that differ are.",),
    )
    assert all(len(r.found) == 5 for r in ours)
    assert result.met, result.line()
