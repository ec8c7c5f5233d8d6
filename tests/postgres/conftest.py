"""One server with sound data, stopped; every test damages a copy of its files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import Server

SCHEMA = """
create table token (address text primary key, symbol text not null);
create table holding (
    id bigint generated always as identity primary key,
    token text not null references token (address),
    amount numeric(78, 0) not null check (amount >= 0),
    note text,
    unique (token, amount)
);
create index holding_amount on holding (amount);
create index holding_note on holding using gin (to_tsvector('simple', note));
insert into token values ('0xaa', 'A'), ('0xbb', 'B');
insert into holding (token, amount, note) select '0xaa', n, 'note ' || n from generate_series(1, 3000) n;
create table paper (id integer primary key, body text not null);
alter table paper alter column body set storage external;
insert into paper select n, string_agg(md5(n || '/' || m), '') from generate_series(1, 40) n, generate_series(1, 200) m group by n;
create view large as select * from holding where amount > 10;
vacuum analyze;
checkpoint;
"""


@pytest.fixture(scope="session")
def sound() -> Iterator[Server]:
    """A stopped server; PostgreSQL must be able to enter its folder, so it is not below pytest's own."""
    with tempfile.TemporaryDirectory(prefix="dalp-dr-postgres-") as folder:
        server = Server(Path(folder) / "sound").start()
        server.psql(SCHEMA)
        files = {name: server.file_of(name) for name in ("holding", "holding_amount", "holding_note", "holding_id_seq", "paper")}
        files["toast"] = server.file_of(server.psql("select reltoastrelid::regclass from pg_class where oid = 'paper'::regclass"))
        server.files = files  # type: ignore[attr-defined]
        server.stop()
        yield server


@pytest.fixture
def restored(sound: Server) -> Iterator[Callable[..., Server]]:
    """Makes a started copy; `flip`: (name of a file of `sound`, offset) to change before it starts."""
    made: list[Server] = []

    def make(*flips: tuple[str, int]) -> Server:
        copy = Server.copy(sound, Path(tempfile.mkdtemp(dir=sound.folder.parent)) / "data")
        made.append(copy)
        for name, offset in flips:
            Server.flip(copy.folder / sound.files[name].relative_to(sound.folder), offset)  # type: ignore[attr-defined]
        return copy.start()

    yield make
    for copy in made:
        copy.stop()
