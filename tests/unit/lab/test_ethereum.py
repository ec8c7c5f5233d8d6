"""Keys, hashes and transactions of the services against published vectors and an independent library."""

import pytest
from eth_account import Account

from dalp_dr_lab.miniature.services import ethereum, gateway

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_vectors(data: bytes, digest: str) -> None:
    assert ethereum.keccak(data).hex() == digest


@pytest.mark.parametrize("size", [134, 135, 136, 137, 271, 272, 300])
def test_keccak_around_its_block_size(size: int) -> None:
    from eth_utils import keccak

    assert ethereum.keccak(b"x" * size) == keccak(b"x" * size)


def test_address() -> None:
    assert ethereum.address_of(KEY) == Account.from_key(KEY).address.lower()


@pytest.mark.parametrize("key", [b"", b"\x00" * 32, b"\xff" * 32, b"\x01" * 31])
def test_bad_keys_are_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="private key"):
        ethereum.address_of(key)


@pytest.mark.parametrize(
    ("nonce", "to", "data"),
    [(0, "0x" + "11" * 20, b""), (1, "0x" + "22" * 20, b"\x01" * 68), (300, None, b"\x60" * 200)],
)
def test_transaction_equals_the_librarys(nonce: int, to: str | None, data: bytes) -> None:
    raw, tx_hash = ethereum.signed_transaction(KEY, chain_id=31337, nonce=nonce, to=to, data=data, gas=200_000, max_fee_wei=10**9)
    fields = {"type": 2, "chainId": 31337, "nonce": nonce, "data": data, "gas": 200_000, "maxFeePerGas": 10**9}
    target = {"to": Account.from_key(bytes([17]) * 32).address} if to else {}
    expected = Account.sign_transaction({**fields, **target, "maxPriorityFeePerGas": 0, "value": 0}, KEY)
    assert Account.recover_transaction(raw) == Account.from_key(KEY).address
    if to is None:
        assert (raw, tx_hash) == ("0x" + expected.raw_transaction.hex(), "0x" + expected.hash.hex())


def test_call_data() -> None:
    data = ethereum.call_data("transfer(address,uint256)", "0x" + "aB" * 20, 5)
    assert data == "0xa9059cbb" + "0" * 24 + "ab" * 20 + "0" * 63 + "5"


def test_transfer_topic() -> None:
    assert ethereum.TRANSFER_TOPIC == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.mark.parametrize(
    ("method", "read_only", "refused"),
    [
        ("eth_call", True, False),
        ("eth_getLogs", True, False),
        ("eth_sendRawTransaction", True, True),
        ("eth_sendRawTransaction", False, False),
        ("eth_sendTransaction", False, True),
        ("eth_sendUserOperation", True, True),
        ("eth_sign", False, True),
        ("anvil_setBalance", False, True),
        ("evm_revert", True, True),
        ("qbft_proposeValidatorVote", True, True),
    ],
)
def test_gateway_refuses(method: str, read_only: bool, refused: bool) -> None:
    assert gateway.refused(method, read_only) is refused
