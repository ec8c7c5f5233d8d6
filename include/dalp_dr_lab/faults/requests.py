"""Faults of requests under way between database and chain."""

from __future__ import annotations

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import CHAIN_ID, Lab
from dalp_dr_lab.miniature import contracts, installation, source
from dalp_dr_lab.miniature.services import ethereum, rpc

AMOUNT = 1_000_000


def _use_nonce_twice(lab: Lab, notes: Notes) -> None:
    """Keep a request with a nonce before its approval, and let the signer use that nonce for something else."""
    facts, url = installation.load(lab), lab.chain_url
    if not facts.tokens:
        raise LabError("No token is deployed. Run `python -m dalp_dr_lab up` first.")
    nonce = int(rpc.call(url, "eth_getTransactionCount", facts.signer_address, "latest"), 16)
    values = f"1, 'mint', '{facts.tokens[0]}', {AMOUNT}, 'PENDING_APPROVAL', {nonce}"
    columns = "account_id, kind, token, amount, status, nonce"
    notes["request"] = source.sql(lab, f"insert into transaction_request ({columns}) values ({values}) returning id")
    data = ethereum.call_data("approve(address,uint256)", facts.signer_address, 1)
    raw, tx_hash = ethereum.signed_transaction(
        bytes.fromhex(facts.signer_key),
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=facts.tokens[0],
        data=bytes.fromhex(data[2:]),
        gas=contracts.GAS,
        max_fee_wei=contracts.MAXIMUM_FEE_WEI,
    )
    rpc.call(url, "eth_sendRawTransaction", raw)
    source.wait("the other transaction", lambda: rpc.call(url, "eth_getTransactionReceipt", tx_hash), 30)


def _cancel(lab: Lab, notes: Notes) -> None:
    if "request" in notes:
        source.sql(lab, f"update transaction_request set status = 'CANCELLED' where id = {int(notes['request'])}")


FAULTS = (
    Fault(
        "double-send-nonce",
        "A request that waits for approval has a nonce which the signer has used for something else meanwhile.",
        ("no_unsafe_in_flight",),
        _use_nonce_twice,
        _cancel,
        group="contents-1",
    ),
)
