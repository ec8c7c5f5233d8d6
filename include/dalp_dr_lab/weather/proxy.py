"""The proxy: HTTP/1.1, one connection to the server for each of the client's, TLS on either side where it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dalp_dr_lab.weather.rules import Rule, Weather

CHUNK_BYTES = 64 * 1024
HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """First line and headers of a message; header names in lower case."""

    first: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def encode(self) -> bytes:
        return "\r\n".join((self.first, *(f"{key}: {value}" for key, value in self.headers), "", "")).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Server:
    """What stands behind the proxy."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def serving(server: Server, weather: Weather, host: str, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port at which the proxy listens while the block runs."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _converse(reader, writer, server, weather)
        writer.close()

    listener = await asyncio.start_server(connected, host, port, ssl=tls, limit=HEAD_BYTES)
    async with listener:
        yield int(listener.sockets[0].getsockname()[1])


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server, weather: Weather) -> None:
    """One request after the other, until one side goes or a rule ends it."""
    while head := await _head(reader):
        method, path, _ = head.first.split(" ", 2)
        rule = weather.of(method, path)
        if rule is not None and rule.silent:
            await reader.read()  # until the client gives up
            return
        if rule is not None:
            await asyncio.sleep(rule.delay_seconds)
        if rule is not None and rule.status is not None:
            body = [chunk async for chunk in _body(reader, head, request=True)]
            del body
            await _answer(writer, rule)
        elif not await _pass_on(reader, writer, head, server, rule):
            return


async def _answer(writer: asyncio.StreamWriter, rule: Rule) -> None:
    body = rule.body.encode()
    headers = (*((key.lower(), value) for key, value in rule.headers.items()), ("content-length", str(len(body))))
    writer.write(Head(f"HTTP/1.1 {rule.status} Weather", headers).encode() + body)
    await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: Head, server: Server, rule: Rule | None) -> bool:
    """Ask the server and give its answer on, as the rule lets it; whether the connection may go on."""
    there, back = await asyncio.open_connection(server.host, server.port, ssl=server.tls, limit=HEAD_BYTES)
    try:
        back.write(head.encode())
        async for chunk in _body(reader, head, request=True):
            back.write(chunk)
            await back.drain()
        answer = await _head(there)
        if answer is None:
            return False
        writer.write(answer.encode())
        if answer.first.split(" ", 2)[1] == "101":
            await _tunnel((reader, writer), (there, back))
            return False
        left = None if rule is None else rule.cut_after
        async for chunk in _body(there, answer, request=False, without=head.first.startswith("HEAD ")):
            piece = chunk if left is None else chunk[:left]
            writer.write(piece)
            await writer.drain()
            if left is not None and (left := left - len(piece)) <= 0:
                return False
            if rule is not None and rule.bytes_per_second:
                await asyncio.sleep(len(piece) / rule.bytes_per_second)
        return _framed(answer)
    finally:
        back.close()


async def _tunnel(*ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Bytes in both directions after an upgrade (exec, port-forward)."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()

    (left, right) = ends
    await asyncio.gather(pump(left[0], right[1]), pump(right[0], left[1]))


async def _head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None at the end of the connection."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Head(first, tuple((key.strip().lower(), value.strip()) for key, _, value in pairs))


def _framed(head: Head) -> bool:
    """Whether the end of the body is told by the message and not by the end of the connection."""
    return bool(head.get("content-length")) or "chunked" in head.get("transfer-encoding").lower()


async def _body(reader: asyncio.StreamReader, head: Head, *, request: bool, without: bool = False) -> AsyncIterator[bytes]:
    """The bytes of a body as they stand on the wire, chunk headers included."""
    status = 0 if request else int(head.first.split(" ", 2)[1])
    if without or status in (204, 304):
        return
    if "chunked" in head.get("transfer-encoding").lower():
        size = -1
        while size != 0:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
        return
    if head.get("content-length"):
        left = int(head.get("content-length"))
        while left:
            data = await reader.read(min(left, CHUNK_BYTES))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(data)
            yield data
        return
    while not request and (data := await reader.read(CHUNK_BYTES)):
        yield data
