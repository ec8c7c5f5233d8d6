"""An RPC endpoint: forwards TCP to the `host:port` that a file names, read again for every connection and request.

When the file changes, connections to the old target are closed before their next request is forwarded, so that clients
that keep connections open see the new target too.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

CHUNK_BYTES = 64 * 1024
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def serve(host: str, port: int, target_file: Path) -> None:
    """Serve until cancelled."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = target_file.read_text().strip()
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*_split(target))
        except OSError:
            await reader.read(CHUNK_BYTES)
            writer.write(BAD_GATEWAY)
            await _close(writer)
            return
        answers = asyncio.create_task(_pump(upstream_reader, writer))
        try:
            while data := await reader.read(CHUNK_BYTES):
                if target_file.read_text().strip() != target:
                    break
                upstream_writer.write(data)
                await upstream_writer.drain()
        except OSError:
            pass  # one side has gone: the connection ends
        finally:
            await _close(upstream_writer)
            await answers
            await _close(writer)

    server = await asyncio.start_server(connected, host, port)
    async with server:
        await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return


def _split(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    listen_host, listen_port = _split(sys.argv[1])
    asyncio.run(serve(listen_host, listen_port, Path(sys.argv[2])))
