"""B1 and B2: object versions are listed and verified against rows, against boto3's paginator; then cost and memory by size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import version_pages
from harness import PROGRAMS, Side, compare, environment, scale

FAULTS = len(version_pages.FAULTS)


@contextmanager
def store(keys: int, prefixes: int, milliseconds: int = 0) -> Iterator[str]:
    """Address of an object store in a process of its own."""
    words = [sys.executable, str(PROGRAMS / "serve_pages.py"), str(keys), str(prefixes), str(milliseconds)]
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def sides(address: str, keys: int, prefixes: int) -> tuple[Side, Side]:
    arguments = (address, str(keys), str(prefixes))
    ours = Side("own parser, one pass in order of key", "list_versions.py", arguments)
    return ours, Side(f"boto3 paginator and dictionary, {prefixes} threads", "list_versions_boto3.py", arguments)


def test_listing_costs_little() -> None:
    keys = 40_000
    with store(keys, 1) as address:
        result, ours, _ = compare(
            "B1",
            "list and verify object versions, pages made beforehand",
            f"{version_pages.entries(keys):,} entries",
            *sides(address, keys, 1),
            goal=5,
            measure="cpu",
            memory_goal_mb=100,
            notes=(f"{FAULTS} planted faults, told alike by both sides; the work alone, without imports",),
        )
    assert ours[0].items == version_pages.entries(keys)
    assert len(ours[0].found) == FAULTS
    assert result.met, result.line()


def test_listing_side_by_side() -> None:
    keys, prefixes = 2_500, 16
    with store(keys, prefixes, milliseconds=80) as address:
        result, ours, _ = compare(
            "B2",
            "the same, 80 ms a page, 16 prefixes at once",
            f"{prefixes * version_pages.entries(keys):,} entries",
            *sides(address, keys, prefixes),
            goal=8,
            measure="wall",
            notes=(f"{prefixes * FAULTS} planted faults, told alike by both sides",),
        )
    assert ours[0].items == prefixes * version_pages.entries(keys)
    assert len(ours[0].found) == prefixes * FAULTS
    assert result.met, result.line()


def test_cost_and_memory_do_not_grow_with_the_bucket() -> None:
    """From 20,000 entries to a million: a page and a key are held, never the bucket."""
    points = scale("object versions", "entry", "scale_versions.py", [16_000, 80_000, 240_000, 800_000])
    costs, memories = [p["cost_us"] for p in points], [p["memory_mb"] for p in points]
    assert points[-1]["size"] >= 1_000_000
    assert costs[-1] <= 2 * min(costs), costs
    assert memories[-1] <= memories[0] + 10, memories
