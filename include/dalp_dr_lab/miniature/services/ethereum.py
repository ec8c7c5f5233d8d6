"""What the services need of Ethereum without a client library: keccak-256, RLP, secp256k1 signatures, calls and logs.

Sources: FIPS 202 (the permutation) with the padding of the original Keccak submission, the Ethereum Yellow Paper
(RLP, addresses), SEC 1 and RFC 6979 (signatures), EIP-155 and EIP-1559 (transactions).
"""

from __future__ import annotations

import hashlib
import hmac

_ROTATIONS = (
    (0, 36, 3, 41, 18), (1, 44, 10, 45, 2), (62, 6, 43, 15, 61), (28, 55, 25, 21, 56), (27, 20, 39, 8, 14),
)  # fmt: skip
_MASK = (1 << 64) - 1
_RATE_BYTES = 136


def _round_constants() -> list[int]:
    """The 24 round constants, from the linear feedback shift register of FIPS 202 section 3.2.5."""
    constants, register = [], 1
    for _ in range(24):
        value = 0
        for j in range(7):
            if register & 1:
                value |= 1 << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(value)
    return constants


_CONSTANTS = _round_constants()


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK if bits else value


def _permute(a: list[list[int]]) -> None:
    for constant in _CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[x - 1] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = _rotate(a[x][y] ^ d[x], _ROTATIONS[x][y])
        for x in range(5):
            for y in range(5):
                a[x][y] = b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y])
        a[0][0] ^= constant


def keccak(data: bytes) -> bytes:
    """Keccak-256 of `data`, 32 bytes."""
    padding = _RATE_BYTES - len(data) % _RATE_BYTES
    padded = bytearray(data + b"\x00" * padding)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    state = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            word = int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
            state[lane % 5][lane // 5] ^= word
        _permute(state)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


# ---- secp256k1

_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_Point = tuple[int, int] | None


def _add(p: _Point, q: _Point) -> _Point:
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % _P == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, _P) % _P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, _P) % _P
    x = (slope * slope - p[0] - q[0]) % _P
    return x, (slope * (p[0] - x) - p[1]) % _P


def _multiply(k: int, point: _Point = _G) -> tuple[int, int]:
    result: _Point = None
    while k:
        if k & 1:
            result = _add(result, point)
        point = _add(point, point)
        k >>= 1
    assert result is not None
    return result


def address_of(key: bytes) -> str:
    """The address (lower case hex) of a private key of 32 bytes; ValueError when it is none."""
    secret = int.from_bytes(key, "big")
    if len(key) != 32 or not 0 < secret < _N:
        raise ValueError("a private key is 32 bytes between 1 and the order of secp256k1")
    x, y = _multiply(secret)
    return "0x" + keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[-20:].hex()


def _nonce(secret: int, digest: bytes) -> int:
    """The deterministic nonce of RFC 6979 with HMAC-SHA256."""
    seed = secret.to_bytes(32, "big") + (int.from_bytes(digest, "big") % _N).to_bytes(32, "big")
    k, v = b"\x00" * 32, b"\x01" * 32
    for tag in (b"\x00", b"\x01"):
        k = hmac.new(k, v + tag + seed, hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()
    while True:
        v = hmac.new(k, v, hashlib.sha256).digest()
        if 0 < (candidate := int.from_bytes(v, "big")) < _N:
            return candidate
        k = hmac.new(k, v + b"\x00", hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()


def sign(key: bytes, digest: bytes) -> tuple[int, int, int]:
    """(y parity, r, s) of `digest`, with the low s that Ethereum demands (EIP-2)."""
    secret = int.from_bytes(key, "big")
    k = _nonce(secret, digest)
    x, y = _multiply(k)
    r = x % _N
    s = pow(k, -1, _N) * (int.from_bytes(digest, "big") + r * secret) % _N
    parity = (y & 1) ^ (1 if x >= _N else 0)
    return (parity ^ 1, r, _N - s) if s > _N // 2 else (parity, r, s)


# ---- RLP and transactions


def rlp(item: int | bytes | list) -> bytes:
    """RLP of a nested list of integers and byte strings."""
    if isinstance(item, list):
        payload = b"".join(rlp(part) for part in item)
        return _length(len(payload), 0xC0) + payload
    data = item.to_bytes((item.bit_length() + 7) // 8, "big") if isinstance(item, int) else item
    return data if len(data) == 1 and data[0] < 0x80 else _length(len(data), 0x80) + data


def _length(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes([offset + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(digits)]) + digits


def signed_transaction(
    key: bytes, *, chain_id: int, nonce: int, to: str | None, data: bytes, gas: int, max_fee_wei: int, tip_wei: int = 0
) -> tuple[str, str]:
    """(raw transaction, hash) of an EIP-1559 transaction without value, both 0x hex."""
    target = bytes.fromhex(to[2:]) if to else b""
    fields: list = [chain_id, nonce, tip_wei, max_fee_wei, gas, target, 0, data, []]
    parity, r, s = sign(key, keccak(b"\x02" + rlp(fields)))
    raw = b"\x02" + rlp([*fields, parity, r, s])
    return "0x" + raw.hex(), "0x" + keccak(raw).hex()


# ---- contract calls


def selector(signature: str) -> str:
    """0x and the first four bytes of the signature's hash."""
    return "0x" + keccak(signature.encode())[:4].hex()


def word(value: int | str) -> str:
    """One argument (an address or an unsigned integer) as 64 hex digits."""
    return value[2:].lower().rjust(64, "0") if isinstance(value, str) else f"{value:064x}"


def call_data(signature: str, *arguments: int | str) -> str:
    """Call data of a function whose arguments are addresses and unsigned integers."""
    return selector(signature) + "".join(word(a) for a in arguments)


def text_result(data: str) -> str:
    """The string that a function returned."""
    raw = bytes.fromhex(data[2:])
    start = int.from_bytes(raw[:32], "big")
    size = int.from_bytes(raw[start : start + 32], "big")
    return raw[start + 32 : start + 32 + size].decode()


TRANSFER_TOPIC = "0x" + keccak(b"Transfer(address,address,uint256)").hex()


def topic_address(topic: str) -> str:
    """The address in an indexed topic, lower case."""
    return "0x" + topic[-40:].lower()
