"""state.json: ports and keys are chosen once; a change is whole or not at all."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from dalp_dr_lab import state

IDENTITIES = ("admin", "velero")


def test_ports_and_keys_stay(tmp_path: Path) -> None:
    first = state.ensure(tmp_path, IDENTITIES)
    assert state.ensure(tmp_path, IDENTITIES) == first
    assert set(first["ports"]) == set(state.PORTS)
    assert len(set(first["ports"].values())) == len(state.PORTS)
    assert first["identities"]["admin"]["secret_key"] != first["identities"]["velero"]["secret_key"]


def test_only_the_owner_reads_the_keys(tmp_path: Path) -> None:
    state.ensure(tmp_path, IDENTITIES)
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_an_identity_added_later_gets_a_key(tmp_path: Path) -> None:
    before = state.ensure(tmp_path, IDENTITIES)
    after = state.ensure(tmp_path, (*IDENTITIES, "evidence"))
    assert after["identities"]["velero"] == before["identities"]["velero"]
    assert after["identities"]["evidence"]["access_key"]


def test_a_server_added_later_gets_a_port_of_its_own(tmp_path: Path) -> None:
    before = state.ensure(tmp_path, IDENTITIES)
    port = state.port(tmp_path, "airflow")
    assert port not in before["ports"].values()
    assert state.port(tmp_path, "airflow") == port


def test_no_port_lies_where_outgoing_connections_take_theirs(tmp_path: Path) -> None:
    ports = state.ensure(tmp_path, IDENTITIES)["ports"].values()
    assert all(state.FIRST_PORT <= port < state.LAST_PORT for port in ports)
    assert state.LAST_PORT + state.GRPC_OFFSET < 32768


def test_an_error_inside_a_change_changes_nothing(tmp_path: Path) -> None:
    state.ensure(tmp_path, IDENTITIES)
    before = (tmp_path / "state.json").read_text()
    with pytest.raises(KeyError), state.change(tmp_path) as now:
        del now["ports"]["anvil"], now["ports"]["no such server"]
    assert (tmp_path / "state.json").read_text() == before


def test_a_port_that_another_program_took_is_chosen_anew(tmp_path: Path) -> None:
    before = dict(state.ensure(tmp_path, IDENTITIES)["ports"])
    with socket.socket() as other:
        other.bind(("0.0.0.0", before["anvil"]))
        other.listen()
        assert state.renew_busy_ports(tmp_path)
    after = state.read(tmp_path)["ports"]
    assert after["anvil"] != before["anvil"]
    assert {**after, "anvil": before["anvil"]} == before


def test_a_port_with_lingering_connections_is_kept(tmp_path: Path) -> None:
    before = dict(state.ensure(tmp_path, IDENTITIES)["ports"])
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", before["anvil"]))
        server.listen()
        with socket.create_connection(("127.0.0.1", before["anvil"])) as client:
            server.accept()[0].close()  # the server's side closes first and lingers
            assert client.recv(1) == b""
    assert not state.renew_busy_ports(tmp_path)
    assert state.read(tmp_path)["ports"] == before


def test_free_ports_are_kept(tmp_path: Path) -> None:
    before = (state.ensure(tmp_path, IDENTITIES), (tmp_path / "state.json").stat().st_mtime_ns)
    assert not state.renew_busy_ports(tmp_path)
    assert (state.read(tmp_path), (tmp_path / "state.json").stat().st_mtime_ns) == before


def test_reading_a_lab_that_never_ran_writes_nothing(tmp_path: Path) -> None:
    assert state.read(tmp_path / "lab")["processes"] == {}
    assert not (tmp_path / "lab").exists()


def test_unknown_fields_of_another_version_survive_a_change(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"later": 1}))
    state.ensure(tmp_path, IDENTITIES)
    assert json.loads((tmp_path / "state.json").read_text())["later"] == 1
