"""An RPC endpoint follows its target file, for new connections and for open ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dalp_dr_lab import rpc_proxy


async def _upstream(answer: bytes) -> tuple[asyncio.Server, int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def _endpoint(target: Path) -> tuple[asyncio.Task[None], int]:
    probe, port = await _upstream(b"")
    probe.close()
    await probe.wait_closed()
    task = asyncio.create_task(rpc_proxy.serve("127.0.0.1", port, target))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return task, port
        except OSError:
            await asyncio.sleep(0)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"question")
    await writer.drain()
    return await asyncio.wait_for(reader.read(200), 5)


def test_forwards_and_follows_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        target = tmp_path / "target"
        (first, first_port), (second, second_port) = await _upstream(b"first"), await _upstream(b"second")
        target.write_text(f"127.0.0.1:{first_port}\n")
        task, port = await _endpoint(target)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await _ask(reader, writer) == b"first"
        assert await _ask(reader, writer) == b"first"
        target.write_text(f"127.0.0.1:{second_port}\n")
        assert await _ask(reader, writer) == b"", "an open connection must not reach the old target"
        assert await _ask(*await asyncio.open_connection("127.0.0.1", port)) == b"second"
        task.cancel()
        first.close()
        second.close()

    asyncio.run(scenario())


def test_a_target_that_is_gone_answers_502(tmp_path: Path) -> None:
    async def scenario() -> None:
        target = tmp_path / "target"
        gone, gone_port = await _upstream(b"")
        gone.close()
        await gone.wait_closed()
        target.write_text(f"127.0.0.1:{gone_port}")
        task, port = await _endpoint(target)
        answer = await _ask(*await asyncio.open_connection("127.0.0.1", port))
        assert answer.startswith(b"HTTP/1.1 502")
        task.cancel()

    asyncio.run(scenario())
