"""Faults of the chain as the second RPC endpoint shows it; the platform itself goes on with the first one."""

from __future__ import annotations

from collections.abc import Sequence

from dalp_dr_lab import processes, servers
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import CHAIN_ID, Lab
from dalp_dr_lab.miniature import source
from dalp_dr_lab.miniature.services import rpc

OTHER = "anvil-other"
OTHER_CHAIN_ID = 31338
FORK_DEPTH_BLOCKS = 4
LAG_BLOCKS = 25
NEW_BLOCKS = 64
FORK_TIMESTAMP = 2_000_000_000  # later than any block of the lab, so that the new blocks differ


def _other_node(lab: Lab, words: Sequence[str], chain_id: int = CHAIN_ID) -> str:
    """Start a second node, point the second RPC endpoint at it and return its URL."""
    if OTHER in processes.alive(lab.folder):
        raise LabError("The second RPC endpoint has a fault already, and there is only one. Break one of them at a time.")
    port = lab.port(OTHER)
    command = [str(lab.tools / "anvil"), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
    lab.spawn(OTHER, [*command, "--silent", *words], env={"HOME": str(lab.folder / "tmp")})
    url = f"http://127.0.0.1:{port}"
    source.wait("the other node", lambda: _answers(url), 30)
    servers.point_rpc(lab, "secondary", f"127.0.0.1:{port}")
    return url


def _copy(lab: Lab, at: int) -> tuple[str, ...]:
    """Words that let a node begin with the lab's chain up to block `at`."""
    return ("--fork-url", lab.chain_url, "--fork-block-number", str(at), "--no-storage-caching")


def _answers(url: str) -> bool:
    try:
        return bool(rpc.call(url, "eth_chainId"))
    except rpc.RpcError:
        return False


def _head(lab: Lab) -> int:
    return int(rpc.call(lab.chain_url, "eth_blockNumber"), 16)


def _fork(lab: Lab, notes: Notes) -> None:
    at = max(1, _head(lab) - FORK_DEPTH_BLOCKS)
    url = _other_node(lab, (*_copy(lab, at), "--timestamp", str(FORK_TIMESTAMP)))
    rpc.call(url, "anvil_mine", hex(NEW_BLOCKS))
    notes["forked_at"] = at
    mine, theirs = (rpc.call(u, "eth_getBlockByNumber", hex(at + 1), False)["hash"] for u in (lab.chain_url, url))
    if mine == theirs:
        raise LabError("The second node did not fork. Run `python -m dalp_dr_lab mend` and try again.")


def _lag(lab: Lab, notes: Notes) -> None:
    head = _head(lab)
    if head <= LAG_BLOCKS:
        raise LabError(f"The chain has only {head} blocks. Run `python -m dalp_dr_lab traffic` first.")
    _other_node(lab, _copy(lab, head - LAG_BLOCKS))


def _other_chain(lab: Lab, notes: Notes) -> None:
    _other_node(lab, (), OTHER_CHAIN_ID)


def _heal(lab: Lab, notes: Notes) -> None:
    servers.point_rpc(lab, "secondary")
    processes.stop(lab.folder, [OTHER])


FAULTS = (
    Fault(
        "forked-chain",
        "The second RPC endpoint follows a chain that parted from the first one's a few blocks ago.",
        ("chain_continuity", "rpc_nodes_agree"),
        _fork,
        _heal,
        spoils=False,
        group="contents-2",
    ),
    Fault(
        "lagging-rpc",
        f"The second RPC endpoint stands still, {LAG_BLOCKS} blocks behind the first one.",
        ("rpc_nodes_agree",),
        _lag,
        _heal,
        verdict="inconclusive",
        spoils=False,
        group="contents-1",
    ),
    Fault(
        "wrong-chain-id",
        "The second RPC endpoint is a node of another network.",
        ("chain_identity",),
        _other_chain,
        _heal,
        spoils=False,
        group="velero-restarted",
    ),
)
