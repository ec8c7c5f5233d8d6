"""The index against the chain at one pinned block, and the application's records against the index.

The chain side is asked at the index's own checkpoint, never at the head. Balances come from calls, transfers from events: two
independent ways to the same sums, so that a missing holder is found as well as a wrong one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dalp_dr.chain import holdings, token
from dalp_dr.chain.continuity import checkpoint_of
from dalp_dr.chain.events import EventFacts, Reading
from dalp_dr.chain.holdings import HoldingDifference
from dalp_dr.chain.rpc import Ask, NoAnswer, asked, block_hashes
from dalp_dr.database.rows import Rows, integer, required
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

HOLDERS_PER_TOKEN = 20_000  # all of them up to here; beyond, a seeded sample of this size


@dataclass(frozen=True)
class Difference:
    """A holder whose balance differs. Decimal strings, in the token's smallest unit."""

    token: str
    holder: str
    index: str
    chain: str


@dataclass(frozen=True)
class TokenComparison:
    """One token at the pinned block. Decimal strings; None where the chain gave no answer, and then `errors` says why.

    `chain_supplies`: node -> supply. `index_sum`: sum of all indexed balances.
    """

    token: str
    symbol: str
    index_supply: str
    chain_supplies: dict[str, str]
    index_sum: str
    holders: int
    holders_checked: int
    index_transfers: int
    index_value: str
    chain_transfers: int | None
    chain_value: str | None
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """One reconciled balance, for the user journey to find again. Decimal strings."""

    token: str
    total_supply: str
    holder: str
    balance: str


@dataclass(frozen=True)
class Reconciliation:
    """Both comparisons. `pinned_hashes`: node -> hash of the pinned block, read before and after (None: changed or unknown)."""

    pinned_number: int
    pinned_hash: str
    pinned_hashes: dict[str, str | None]
    node: str
    seed: str
    tokens: tuple[TokenComparison, ...]
    differences: tuple[Difference, ...]
    missing_answers: tuple[str, ...]
    unindexed_tokens: tuple[str, ...]
    holdings_compared: int
    holding_differences: tuple[HoldingDifference, ...]
    sample: Sample | None


def facts_from(plan: DrillPlan, sql: Mapping[str, Rows], nodes: Mapping[str, Ask], reading: Reading) -> Reconciliation:
    """The facts of kind `reconciliation`. `sql`: checkpoint, tokens, balances, transfers_net, transfers_summary, holdings, requests
    of one snapshot; `reading`: the chain's transfers up to the same block."""
    _, number, digest = checkpoint_of(plan, sql["checkpoint"])
    before = _pinned(nodes, number)
    name = next((n for n in nodes if before[n] == digest), next(iter(nodes)))
    indexed, moved = _indexed(sql["balances"]), _moved(sql["transfers_net"], reading.facts)
    comparisons, differences, missing = [], [], []
    for row in sql["tokens"]:
        address = required(row, "address").lower()
        found = _balances(nodes[name], address, indexed.get(address, {}), moved.get(address, set()), number, plan.random_seed)
        differences += found.differences
        missing += found.missing
        supplies = _supplies(nodes, address, number)
        comparisons.append(_token(row, indexed.get(address, {}), sql["transfers_summary"], supplies, found.checked, reading))
    compared, of_holdings = holdings.compare(sql["holdings"], sql["balances"], sql["requests"])
    after = _pinned(nodes, number)
    tokens = {required(t, "address").lower() for t in sql["tokens"]}
    return Reconciliation(
        pinned_number=number,
        pinned_hash=digest,
        pinned_hashes={n: before[n] if before[n] == after[n] else None for n in nodes},
        node=name,
        seed=plan.random_seed,
        tokens=tuple(comparisons),
        differences=tuple(differences),
        missing_answers=tuple(missing),
        unindexed_tokens=tuple(t for t in plan.environment.chain.tokens if t.lower() not in tokens),
        holdings_compared=compared,
        holding_differences=of_holdings,
        sample=_sample(sql, indexed, {(d.token, d.holder) for d in differences}),
    )


def _pinned(nodes: Mapping[str, Ask], number: int) -> dict[str, str | None]:
    hashes = {name: block_hashes(ask, [number])[number] for name, ask in nodes.items()}
    return {name: h if isinstance(h, str) else None for name, h in hashes.items()}


def _indexed(balances: Rows) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in balances:
        found.setdefault(required(row, "token").lower(), {})[required(row, "holder").lower()] = integer(row, "balance")
    return found


def _moved(net: Rows, events: EventFacts) -> dict[str, set[str]]:
    """Token -> holders that transfers leave with a balance: by the index, and by the chain where its rows differ.

    Where no range differs the index's transfers are the chain's, every field, so that a holder whom the index's balances
    have lost is found in its transfers.
    """
    found: dict[str, set[str]] = {}
    for row in net:
        found.setdefault(required(row, "token").lower(), set()).add(required(row, "holder").lower())
    for difference in events.rows:
        for said in (difference.index, difference.chain):
            if said is not None:
                address, _, sender, recipient, _ = said.split(" ")
                found.setdefault(address, set()).update({sender, recipient} - {token.ZERO})
    return found


@dataclass(frozen=True)
class _Checked:
    differences: list[Difference]
    missing: list[str]
    checked: int


def _balances(ask: Ask, address: str, indexed: Mapping[str, int], moved: Iterable[str], number: int, seed: str) -> _Checked:
    """Index against `balanceOf` of every holder that balances or transfers know."""
    holders = sorted({*indexed, *moved})
    if len(holders) > HOLDERS_PER_TOKEN:
        holders = sorted(random.Random(f"{seed}/{address}").sample(holders, HOLDERS_PER_TOKEN))
    differences, missing = [], []
    for holder, answer in zip(holders, asked(ask, [token.balance_of(address, h, number) for h in holders]), strict=True):
        try:
            chain = token.uint256(answer)
        except NoAnswer as error:
            missing.append(f"{address} {holder}: {error}")
            continue
        if chain != indexed.get(holder, 0):
            differences.append(Difference(address, holder, str(indexed.get(holder, 0)), str(chain)))
    return _Checked(differences, missing, len(holders) - len(missing))


def _supplies(nodes: Mapping[str, Ask], address: str, number: int) -> dict[str, int | NoAnswer]:
    found: dict[str, int | NoAnswer] = {}
    for name, ask in nodes.items():
        try:
            found[name] = token.uint256(asked(ask, [token.total_supply(address, number)])[0])
        except NoAnswer as error:
            found[name] = error
    return found


def _token(
    row: Mapping[str, object],
    indexed: Mapping[str, int],
    summary: Rows,
    supplies: Mapping[str, int | NoAnswer],
    checked: int,
    reading: Reading,
) -> TokenComparison:
    address = required(row, "address").lower()
    own = next((s for s in summary if required(s, "token").lower() == address), None)
    chain = None if reading.totals is None else reading.totals.get(address, (0, 0))
    errors = [f"supply by {name}: {s}" for name, s in supplies.items() if isinstance(s, NoAnswer)]
    errors += [f"transfers: {error}" for error in reading.facts.errors]
    return TokenComparison(
        token=address,
        symbol=required(row, "symbol"),
        index_supply=str(integer(row, "total_supply")),
        chain_supplies={name: str(s) for name, s in supplies.items() if isinstance(s, int)},
        index_sum=str(sum(indexed.values())),
        holders=len(indexed),
        holders_checked=checked,
        index_transfers=integer(own, "transfers") if own else 0,
        index_value=str(integer(own, "value")) if own else "0",
        chain_transfers=chain[0] if chain else None,
        chain_value=str(chain[1]) if chain else None,
        errors=tuple(errors),
    )


def _sample(sql: Mapping[str, Rows], indexed: Mapping[str, Mapping[str, int]], wrong: set[tuple[str, str]]) -> Sample | None:
    """The largest balance that agrees, of an account of the application where one has any."""
    accounts = {required(h, "account").lower() for h in sql["holdings"]}
    supplies = {required(t, "address").lower(): str(integer(t, "total_supply")) for t in sql["tokens"]}
    found = [
        (holder in accounts, balance, address, holder)
        for address, balances in indexed.items()
        if address in supplies
        for holder, balance in balances.items()
        if balance > 0 and (address, holder) not in wrong
    ]
    if not found:
        return None
    _, balance, address, holder = max(found)
    return Sample(address, supplies[address], holder, str(balance))


def judge_index(facts: Reconciliation, plan: DrillPlan) -> CheckResult:
    """Supply, every balance, their sum, and count and value of transfers are the chain's at the pinned block, to the last unit."""
    expected = f"index equal to the chain at block {facts.pinned_number}: supplies, balances, transfers"
    wrong = [
        f"token {d.token}, holder {d.holder}: index {d.index}, chain {d.chain} ({int(d.index) - int(d.chain):+d})"
        for d in facts.differences
    ]
    wrong += [f"token {address} of the environment file is not in the index" for address in facts.unindexed_tokens]
    for compared in facts.tokens:
        wrong += _wrong(compared)
    unsure = [
        f"{name}: block {facts.pinned_number} is {h or 'unknown or changing'}, the index has {facts.pinned_hash}"
        for name, h in facts.pinned_hashes.items()
        if h != facts.pinned_hash
    ]
    unsure += [f"token {t.token}: {e}" for t in facts.tokens for e in t.errors] + list(facts.missing_answers)
    seen = (
        f"{len(facts.tokens)} tokens, {sum(t.holders_checked for t in facts.tokens)} balances and "
        f"{sum(t.chain_transfers or 0 for t in facts.tokens)} transfers compared on {facts.node}"
    )
    if wrong:
        return failed(expected, f"{seen}; {len(wrong)} differences", [*wrong, *unsure])
    if not any(t.holders_checked for t in facts.tokens):
        unsure.append("the index has no token" if not facts.tokens else "no balance was compared")
    if unsure:
        return inconclusive(expected, f"{seen}; {len(unsure)} answers missing", unsure)
    return expect(True, expected, seen)


def _wrong(compared: TokenComparison) -> list[str]:
    name = f"token {compared.token} ({compared.symbol})"
    found = [
        f"{name}: supply in the index {compared.index_supply}, by {node} {supply}"
        for node, supply in compared.chain_supplies.items()
        if supply != compared.index_supply
    ]
    if compared.index_sum != compared.index_supply:
        found.append(f"{name}: indexed balances add up to {compared.index_sum}, the supply is {compared.index_supply}")
    if compared.chain_transfers is not None and compared.chain_transfers != compared.index_transfers:
        found.append(f"{name}: {compared.index_transfers} transfers in the index, {compared.chain_transfers} on the chain")
    if compared.chain_value is not None and compared.chain_value != compared.index_value:
        found.append(f"{name}: transfers in the index add up to {compared.index_value}, on the chain to {compared.chain_value}")
    return found


def judge_database(facts: Reconciliation, plan: DrillPlan) -> CheckResult:
    """The application's holdings are the index's balances, less what requests under way explain to the last unit."""
    expected = "every account's holdings equal to the index, requests under way accounted for"
    wrong = [
        f"token {d.token}, holder {d.account}: database {d.database}, index {d.index}, unexplained {d.left:+d}"
        + (f" (requests {', '.join(d.requests)})" if d.requests else "")
        for d in facts.holding_differences
        if d.left
    ]
    explained = sum(not d.left for d in facts.holding_differences)
    seen = f"{facts.holdings_compared} holdings compared, {explained} differences explained by requests under way"
    if wrong:
        return failed(expected, f"{seen}; {len(wrong)} unexplained", wrong)
    return expect(True, expected, seen) if facts.holdings_compared else inconclusive(expected, "no holdings to compare")
