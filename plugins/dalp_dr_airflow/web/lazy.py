"""An ASGI application that is built at its first request.

Airflow loads a plugin in every task process too; only the API server should pay for what the pages import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LazyApplication:
    """Passes everything on to what `make` returns."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._made is None:
            self._made = self._make()
        await self._made(scope, receive, send)
