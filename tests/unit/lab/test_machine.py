"""Each thing that a machine lacks is one sentence that names it and says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr_lab.setup import machine

GOOD = machine.Facts(
    python=(3, 12),
    root=True,
    sudo=False,
    system="Linux",
    architecture="x86_64",
    apt=True,
    controllers=frozenset(machine.CONTROLLERS),
    namespaces=True,
    overlay=True,
    disk_free_bytes=60 * 10**9,
    memory_bytes=16 * 2**30,
    routes=(("192.168.1.0/24", "eth0"),),
    first_time=True,
)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(GOOD, id="a machine as it should be"),
        pytest.param(replace(GOOD, root=False, sudo=True), id="no root but sudo"),
        pytest.param(replace(GOOD, python=(3, 11)), id="the oldest Python"),
        pytest.param(replace(GOOD, python=(3, 13)), id="the newest Python"),
        pytest.param(replace(GOOD, disk_free_bytes=6 * 10**9, first_time=False), id="little disk, all built"),
        pytest.param(replace(GOOD, routes=(("10.1.0.0/16", "eth0"),)), id="a private network beside the lab's"),
    ],
)
def test_accepted(facts: machine.Facts) -> None:
    assert machine.refusals(facts) == []


@pytest.mark.parametrize(
    ("facts", "what", "remedy"),
    [
        pytest.param(replace(GOOD, python=(3, 14)), "this is 3.14", "PYTHON=", id="Python too new"),
        pytest.param(replace(GOOD, python=(3, 10)), "this is 3.10", "PYTHON=", id="Python too old"),
        pytest.param(replace(GOOD, system="Darwin"), "needs Linux", "make test-fast", id="not Linux"),
        pytest.param(replace(GOOD, root=False), "needs root", "as root", id="neither root nor sudo"),
        pytest.param(replace(GOOD, architecture="riscv64"), "riscv64", "x86-64", id="architecture"),
        pytest.param(replace(GOOD, apt=False), "apt-get", "Debian", id="no apt"),
        pytest.param(replace(GOOD, controllers=frozenset({"cpu", "cpuset", "pids"})), "memory", "mount", id="cgroups"),
        pytest.param(replace(GOOD, namespaces=False), "namespaces", "privileged", id="namespaces"),
        pytest.param(replace(GOOD, overlay=False), "overlay", "modprobe", id="overlay"),
        pytest.param(replace(GOOD, disk_free_bytes=29 * 10**9), "30 GB", "free some", id="disk, first time"),
        pytest.param(replace(GOOD, disk_free_bytes=4 * 10**9, first_time=False), "5 GB", "free some", id="disk, later"),
        pytest.param(replace(GOOD, memory_bytes=4 * 2**30), "4.0 GB", "larger", id="memory"),
        pytest.param(replace(GOOD, routes=(("10.96.0.0/12", "tun0"),)), "tun0", "remove", id="network in use"),
    ],
)
def test_refused_with_one_sentence(facts: machine.Facts, what: str, remedy: str) -> None:
    (sentence,) = machine.refusals(facts)
    assert what in sentence
    assert remedy in sentence


def test_everything_wrong_is_said_at_once() -> None:
    facts = replace(GOOD, root=False, overlay=False, memory_bytes=0)
    assert len(machine.refusals(facts)) == 3


def test_routes_are_read_as_the_kernel_writes_them() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "*\t0000FA0A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "dalp-k8s\t0000600A\t0100FA0A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert machine._routes(table) == (("192.0.2.0/24", "eth0"),)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"),
        ("/usr/sbin:/bin", "/usr/sbin:/bin:/usr/local/sbin:/sbin"),
    ],
    ids=["an ordinary user's", "partly there"],
)
def test_system_programs_are_found_under_every_path(path: str, expected: str) -> None:
    assert machine.with_system_folders(path) == expected
