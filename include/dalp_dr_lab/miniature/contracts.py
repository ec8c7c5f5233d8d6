"""The token contracts of the lab: deployed by the platform's signer, whose address is given ether first."""

from __future__ import annotations

import time
from pathlib import Path

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import CHAIN_ID, Lab
from dalp_dr_lab.miniature import installation as facts
from dalp_dr_lab.miniature.services import ethereum, rpc

FOLDER = Path(__file__).resolve().parent / "contract"
GAS = 3_000_000
MAXIMUM_FEE_WEI = 20 * 10**9
ETHER_WEI = 10**22
RECEIPT_SECONDS = 30


def constructor_arguments(name: str, symbol: str, decimals: int) -> bytes:
    """ABI encoding of (string, string, uint8)."""
    tails, heads, offset = b"", [], 32 * 3
    for text in (name.encode(), symbol.encode()):
        heads.append(offset.to_bytes(32, "big"))
        tail = len(text).to_bytes(32, "big") + text.ljust((len(text) + 31) // 32 * 32, b"\x00")
        tails, offset = tails + tail, offset + len(tail)
    return b"".join(heads) + decimals.to_bytes(32, "big") + tails


def ensure(lab: Lab) -> facts.Installation:
    """The installation with contracts on the chain of now: deploys them when this chain does not have them."""
    url = lab.chain_url
    found, genesis = facts.load(lab), rpc.call(url, "eth_getBlockByNumber", "0x0", False)["hash"]
    same_chain = bool(found.tokens) and found.genesis_hash == genesis
    if same_chain and all(rpc.call(url, "eth_getCode", token, "latest") != "0x" for token in found.tokens):
        return found
    rpc.call(url, "anvil_setBalance", found.signer_address, hex(ETHER_WEI))
    tokens = tuple(_deploy(url, bytes.fromhex(found.signer_key), *token) for token in facts.TOKEN_NAMES)
    return facts.with_contracts(lab, tokens, genesis)


def _deploy(url: str, key: bytes, name: str, symbol: str, decimals: int) -> str:
    code = bytes.fromhex((FOLDER / "token.bin").read_text().strip().removeprefix("0x"))
    nonce = int(rpc.call(url, "eth_getTransactionCount", ethereum.address_of(key), "pending"), 16)
    raw, tx_hash = ethereum.signed_transaction(
        key, chain_id=CHAIN_ID, nonce=nonce, to=None, data=code + constructor_arguments(name, symbol, decimals),
        gas=GAS, max_fee_wei=MAXIMUM_FEE_WEI,
    )  # fmt: skip
    rpc.call(url, "eth_sendRawTransaction", raw)
    end = time.monotonic() + RECEIPT_SECONDS
    while time.monotonic() < end:
        if receipt := rpc.call(url, "eth_getTransactionReceipt", tx_hash):
            if int(receipt["status"], 16) != 1:
                raise LabError(f"The chain refused the contract {symbol}. Look at the anvil log of the lab.")
            return str(receipt["contractAddress"]).lower()
        time.sleep(0.5)
    raise LabError(f"The contract {symbol} was not mined in {RECEIPT_SECONDS} s. Look at the anvil log of the lab.")
