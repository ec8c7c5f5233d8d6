"""One line for each step that a person waits for, with its time; on stderr, so that results on stdout stay clean."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one line."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print `name` and how long its block took; with FAILED when an error leaves it."""
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"{time.monotonic() - begin:7.1f} s  {name}: FAILED")
        raise
    say(f"{time.monotonic() - begin:7.1f} s  {name}")
