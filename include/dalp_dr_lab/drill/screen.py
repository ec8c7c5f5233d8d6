"""Where progress is shown: a block that is redrawn on a terminal, one line a change elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import TextIO

from dalp_dr_lab.drill import progress
from dalp_dr_lab.drill.progress import StageView


class Screen:
    """Writes progress to a stream. Says each thing once where the stream is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._drawn = 0
        self._before: Sequence[StageView] = ()
        self._began = time.monotonic()

    def say(self, text: str = "") -> None:
        """Print a line of its own; a block under it is drawn anew below."""
        self._drawn = 0
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def show(self, views: Sequence[StageView], hints: dict[str, str]) -> None:
        """Show the stages: all of them in place on a terminal, else those that say something new."""
        if self._live:
            self._redraw([progress.line(view, hints) for view in views])
        else:
            since = progress.clock(time.monotonic() - self._began)
            for view in progress.changes(self._before, views):
                self._stream.write(f"[{since:>6}] {progress.line(view, hints)}\n")
            self._stream.flush()
        self._before = views

    def _redraw(self, lines: Sequence[str]) -> None:
        width = max(40, shutil.get_terminal_size().columns - 1)
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._stream.write(back + "".join(f"\x1b[2K{text[:width]}\n" for text in lines))
        self._stream.flush()
        self._drawn = len(lines)
