"""The tokens' contracts at the pinned block: their code, behind a proxy too, and who holds the rights the platform needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dalp_dr.chain import token
from dalp_dr.chain.continuity import checkpoint_of
from dalp_dr.chain.rpc import Ask, NoAnswer, Request, asked, result
from dalp_dr.database.rows import Rows, required, text
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Role
from dalp_dr.model.plan import DrillPlan

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"  # EIP-1967
HAS_ROLE = "0x91d14854"
SIGNED_LOOKED_AT = 50  # newest transactions of the platform whose sender is asked for


@dataclass(frozen=True)
class Code:
    """A contract's code on one node at the pinned block. `implementation`: behind an EIP-1967 proxy, else None.

    Digests are sha256 of the runtime code; None where there is no answer, and then `error` says why; of no code it is "".
    """

    contract: str
    node: str
    code_sha256: str | None
    implementation: str | None
    implementation_sha256: str | None
    error: str | None = None


@dataclass(frozen=True)
class Holding:
    """One right in one contract on one node: who must hold it, and whether the contract says so (None: no answer).

    `observed`: the holder that a getter told.
    """

    role: str
    contract: str
    node: str
    holder: str
    held: bool | None
    observed: str | None
    error: str | None = None


@dataclass(frozen=True)
class ContractFacts:
    """Code and rights of every token. `signers`: who sent the platform's newest transactions, and the next nonce of each."""

    pinned_number: int
    contracts: tuple[str, ...]
    codes: tuple[Code, ...]
    signers: tuple[str, ...]
    holdings: tuple[Holding, ...]
    errors: tuple[str, ...]


def facts_from(plan: DrillPlan, sql: Mapping[str, Rows], nodes: Mapping[str, Ask]) -> ContractFacts:
    """The facts of kind `contracts`. `sql`: checkpoint, tokens, requests of one snapshot. Raises FactError."""
    _, number, _ = checkpoint_of(plan, sql["checkpoint"])
    chain = plan.environment.chain
    tokens = sorted({required(t, "address").lower() for t in sql["tokens"]} | {t.lower() for t in chain.tokens})
    errors: list[str] = []
    signers = _signers(sql["requests"], nodes, errors)
    found = [_code(name, ask, c, number) for c in tokens for name, ask in nodes.items()]
    held = [
        holding
        for role in chain.roles
        for contract in ([role.contract.lower()] if role.contract else tokens)
        for name, ask in nodes.items()
        for holding in _holdings(role, contract, name, ask, number, tuple(h.lower() for h in role.holders) or signers)
    ]
    return ContractFacts(number, tuple(tokens), tuple(found), signers, tuple(held), tuple(errors))


def _signers(requests: Rows, nodes: Mapping[str, Ask], errors: list[str]) -> tuple[str, ...]:
    """Senders of the platform's newest transactions that some node knows."""
    hashes = [h for r in requests if (h := text(r, "tx_hash"))][-SIGNED_LOOKED_AT:]
    senders: set[str] = set()
    for name, ask in nodes.items():
        for answer in asked(ask, [("eth_getTransactionByHash", [h]) for h in hashes]):
            try:
                if isinstance(found := result(answer), Mapping) and found.get("from"):
                    senders.add(str(found["from"]).lower())
            except NoAnswer as error:
                errors.append(f"{name}: sender of a transaction: {error}")
    return tuple(sorted(senders))


def _code(name: str, ask: Ask, contract: str, number: int) -> Code:
    try:
        code, slot = (
            _bytes(a) for a in asked(ask, [_get_code(contract, number), ("eth_getStorageAt", [contract, IMPLEMENTATION_SLOT, hex(number)])])
        )
        behind = "0x" + slot[-20:].hex() if any(slot) else None
        digest = _sha256(_bytes(asked(ask, [_get_code(behind, number)])[0])) if behind else None
    except NoAnswer as error:
        return Code(contract, name, None, None, None, str(error))
    return Code(contract, name, _sha256(code), behind, digest)


def _get_code(contract: str, number: int) -> Request:
    return "eth_getCode", [contract, hex(number)]


def _sha256(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest() if code else ""


def _bytes(answer: Mapping[str, object]) -> bytes:
    value = result(answer)
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NoAnswer(f"the node answered {value!r:.60} where bytes were asked", "Ask the node's operator.")
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        raise NoAnswer(f"the node answered {value!r:.60} where bytes were asked", "Ask the node's operator.") from None


def _holdings(role: Role, contract: str, node: str, ask: Ask, number: int, holders: Sequence[str]) -> Iterable[Holding]:
    """Of a getter, one of the holders must be the one it tells; of `hasRole`, each holder must have it."""
    if role.getter is not None:
        wanted = ", ".join(holders)
        try:
            observed = f"0x{token.uint256(asked(ask, [_call(contract, role.getter, number)])[0]):040x}"
        except NoAnswer as error:
            yield Holding(role.name, contract, node, wanted, None, None, str(error))
        else:
            yield Holding(role.name, contract, node, wanted, observed in holders, observed)
        return
    for holder in holders:
        data = f"{HAS_ROLE}{str(role.role).removeprefix('0x')}{holder.removeprefix('0x').rjust(64, '0')}"
        try:
            yield Holding(role.name, contract, node, holder, bool(token.uint256(asked(ask, [_call(contract, data, number)])[0])), None)
        except NoAnswer as error:
            yield Holding(role.name, contract, node, holder, None, None, str(error))


def _call(contract: str, data: str, number: int) -> Request:
    return "eth_call", [{"to": contract, "data": data}, hex(number)]


def judge_code(facts: ContractFacts, plan: DrillPlan) -> CheckResult:
    """Every token has code, the same on every node, and code that the environment file allows where it names any."""
    allowed = {d.lower() for d in plan.environment.chain.token_code_sha256}
    expected = "every token's code the one that is allowed" if allowed else "every token's code the same on every node"
    wrong, unsure, nodes = [], [], len({c.node for c in facts.codes})
    for contract in facts.contracts:
        codes = [c for c in facts.codes if c.contract == contract and c.error is None]
        unsure += [f"{c.node}: {contract}: {c.error}" for c in facts.codes if c.contract == contract and c.error is not None]
        wrong += [f"{contract}: {c.node} has no code there" for c in codes if c.code_sha256 == "" or c.implementation_sha256 == ""]
        if len({(c.code_sha256, c.implementation, c.implementation_sha256) for c in codes}) > 1:
            wrong += [f"{contract}: {c.node} has {_short(c)}" for c in codes]
        if allowed:
            wrong += [
                f"{contract}: {c.node} has {_short(c)}, which is not allowed"
                for c in codes
                if c.code_sha256 and (c.implementation_sha256 or c.code_sha256) not in allowed
            ]
    if wrong:
        return failed(expected, f"{len(wrong)} differences in {len(facts.contracts)} contracts", [*wrong, *unsure])
    if unsure or not facts.contracts or nodes < 2:
        return inconclusive(expected, f"{len(facts.contracts)} contracts, {len(unsure)} without an answer, on {nodes} nodes", unsure)
    kinds = len({c.implementation_sha256 or c.code_sha256 for c in facts.codes})
    note = "" if allowed else "; not pinned by the environment file"
    return expect(True, expected, f"{len(facts.contracts)} contracts, {kinds} kinds of code, on {nodes} nodes{note}")


def _short(code: Code) -> str:
    behind = f" behind a proxy, at {code.implementation}" if code.implementation else ""
    return f"code {(code.implementation_sha256 or code.code_sha256 or 'none')[:16]}{behind}"


def judge_roles(facts: ContractFacts, plan: DrillPlan) -> CheckResult:
    """Who must hold a right still holds it, on every node."""
    named = plan.environment.chain.roles
    expected = f"{', '.join(r.name for r in named) or 'the rights that the platform needs'} held as the environment file says"
    wrong = [
        f"{h.role} of {h.contract} on {h.node}: {h.observed or 'not ' + h.holder}" + (f", should be {h.holder}" if h.observed else "")
        for h in facts.holdings
        if h.held is False and h.holder
    ]
    if wrong:
        return failed(expected, f"{len(wrong)} of {len(facts.holdings)} are not", wrong)
    unsure = [f"{h.role} of {h.contract} on {h.node}: {h.error}" for h in facts.holdings if h.held is None]
    unsure += [f"{h.role}: nobody is known who should hold it" for h in facts.holdings if not h.holder]
    if missing := [r.name for r in named if not any(h.role == r.name for h in facts.holdings)]:
        unsure += [f"{name}: nobody was asked about it" for name in missing]
    if unsure or not named:
        return inconclusive(expected, "the environment file names no role" if not named else f"{len(unsure)} without an answer", unsure)
    return expect(True, expected, f"{len(facts.holdings)} answers, all as expected")
