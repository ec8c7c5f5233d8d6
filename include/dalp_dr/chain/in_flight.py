"""Census of requests that were under way: what landed, what was never sent, what is in doubt, what the restored state forgot.

After a recovery the chain is ahead of the database. The question is whether starting the workers could send anything twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dalp_dr.chain import token
from dalp_dr.chain.continuity import checkpoint_of
from dalp_dr.chain.holdings import TERMINAL
from dalp_dr.chain.rpc import Ask, NoAnswer, asked, first_block_since, quantity, result
from dalp_dr.database.rows import Rows, required, text, true
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

HEAD_MARGIN_BLOCKS = 2  # nodes asked one after the other may be this far apart without one being behind
CLOCK_MARGIN_SECONDS = 60  # between the clocks of database and chain: blocks this much before the recovery point are looked at too


@dataclass(frozen=True)
class RequestState:
    """One request beside the chain. `receipt`: 1 success, 0 reverted, None no receipt on any node.

    `known`: some node knows the transaction, mined or waiting. `lost_match`: transaction since the recovery point that does what this
    request asks for and that the database does not know.
    """

    id: str
    kind: str
    status: str
    token: str
    amount: str
    tx_hash: str | None
    nonce: int | None
    indexed: bool
    receipt: int | None
    known: bool
    lost_match: str | None
    errors: tuple[str, ...]


@dataclass(frozen=True)
class LostOperation:
    """A transfer since the recovery point whose transaction no request names: done in production, unknown to the restored state."""

    tx_hash: str
    token: str
    sender: str
    recipient: str
    value: str
    block_number: int


@dataclass(frozen=True)
class InFlight:
    """Requests that are open or completed, and what happened on the chain since the recovery point.

    `since_block`: first block that was searched; `head` the last, None when no node answered. `signers`: who sent the known
    transactions, with the next nonce of each. `operations_lost`, `operations_doubtful`, `value_lost` (smallest units over all tokens,
    decimal string): the loss in business terms.
    """

    checkpoint_number: int
    since_block: int | None
    head: int | None
    signers: dict[str, int]
    requests: tuple[RequestState, ...]
    lost: tuple[LostOperation, ...]
    errors: tuple[str, ...]
    operations_lost: int = 0
    operations_doubtful: int = 0
    value_lost: str = "0"


@dataclass(frozen=True)
class Census:
    """Ids of open requests by what became of them, and contradictions: completed requests that the chain does not confirm."""

    landed: tuple[str, ...]
    never_sent: tuple[str, ...]
    doubtful: tuple[str, ...]
    double_send: tuple[str, ...]
    contradictions: tuple[str, ...]


def facts_from(plan: DrillPlan, requests: Rows, checkpoint: Rows, nodes: Mapping[str, Ask], tokens: Rows = ()) -> InFlight:
    """The facts of kind `in_flight`. Both nodes are asked for receipts: one that lags does not make a transaction missing.

    `tokens`: those of the index; what happened to a token that no request names is lost all the same.
    """
    _, number, _ = checkpoint_of(plan, checkpoint)
    kept = [r for r in requests if required(r, "status").upper() not in TERMINAL - {"COMPLETED"}]
    hashes = sorted({h.lower() for r in requests if (h := text(r, "tx_hash"))})
    found = {h: _Found() for h in hashes}
    errors: list[str] = []
    for name, ask in nodes.items():
        _look_up(name, ask, found)
    searched = {required(r, "token").lower() for r in requests} | {required(t, "address").lower() for t in tokens}
    searched |= {t.lower() for t in plan.environment.chain.tokens}
    since, head, lost = _lost(plan, sorted(searched), set(hashes), number, nodes, errors)
    signers = _signers({f.sender for f in found.values() if f.sender}, nodes, errors)
    used: set[str] = set()
    states = tuple(_state(r, found, lost, used) for r in kept)
    facts = InFlight(number, since, head, signers, states, tuple(lost), tuple(errors))
    return replace(
        facts,
        operations_lost=len({o.tx_hash for o in lost}),
        operations_doubtful=len(census(facts).doubtful),
        value_lost=str(sum(int(o.value) for o in lost)),
    )


class _Found:
    """What the nodes together know of a transaction."""

    def __init__(self) -> None:
        self.receipt: int | None = None
        self.known = False
        self.sender: str | None = None
        self.errors: list[str] = []


def _look_up(name: str, ask: Ask, found: Mapping[str, _Found]) -> None:
    hashes = list(found)
    answers = asked(ask, [r for h in hashes for r in (("eth_getTransactionReceipt", [h]), ("eth_getTransactionByHash", [h]))])
    for place, digest in enumerate(hashes):
        state = found[digest]
        try:
            receipt, transaction = result(answers[2 * place]), result(answers[2 * place + 1])
            if receipt is not None:
                state.receipt = quantity(receipt.get("status"))
            if transaction is not None:
                state.known, state.sender = True, str(transaction.get("from", "")).lower() or None
        except NoAnswer as error:
            state.errors.append(f"{name}: {error}")


def _lost(
    plan: DrillPlan, tokens: list[str], hashes: set[str], number: int, nodes: Mapping[str, Ask], errors: list[str]
) -> tuple[int | None, int | None, list[LostOperation]]:
    """(first block searched, head, transfers that no request names), from the first node at the head that answers.

    From the recovery point on, or from the index's checkpoint where that is older: a released indexer may have caught up.
    """
    point = utc(plan.database.target_time if plan.database else plan.objects.at)
    for name, head in _heads(nodes, number, errors):
        events: list[token.Transfer] = []
        try:
            since = min(number + 1, first_block_since(nodes[name], int(point.timestamp()) - CLOCK_MARGIN_SECONDS, head))
            if tokens and since <= head:
                token.scan(nodes[name], tokens, since, head, events.append)
        except NoAnswer as error:
            errors.append(f"{name}: {error}")
            continue
        lost = [e for e in events if e.tx_hash not in hashes]
        return since, head, [LostOperation(e.tx_hash, e.token, e.sender, e.recipient, str(e.value), e.block_number) for e in lost]
    return None, None, []


def _heads(nodes: Mapping[str, Ask], number: int, errors: list[str]) -> list[tuple[str, int]]:
    """(node, head) of those with the newest head; one that is behind the others or the index would hide operations."""
    heads: dict[str, int] = {}
    for name, ask in nodes.items():
        try:
            heads[name] = quantity(result(asked(ask, [("eth_blockNumber", [])])[0]))
        except NoAnswer as error:
            errors.append(f"{name}: {error}")
    newest = max([number, *heads.values()])
    errors += [f"{name} is {newest - head} blocks behind" for name, head in heads.items() if newest - head > HEAD_MARGIN_BLOCKS]
    return [(name, head) for name, head in heads.items() if newest - head <= HEAD_MARGIN_BLOCKS]


def _signers(addresses: set[str], nodes: Mapping[str, Ask], errors: list[str]) -> dict[str, int]:
    """Address -> next nonce, the highest that any node tells."""
    found: dict[str, int] = {}
    for name, ask in nodes.items():
        ordered = sorted(addresses)
        for address, answer in zip(ordered, asked(ask, [("eth_getTransactionCount", [a, "latest"]) for a in ordered]), strict=True):
            try:
                found[address] = max(found.get(address, 0), quantity(result(answer)))
            except NoAnswer as error:
                errors.append(f"{name}: nonce of {address}: {error}")
    return found


def _state(request: Mapping[str, Any], found: Mapping[str, _Found], lost: list[LostOperation], used: set[str]) -> RequestState:
    digest, nonce = text(request, "tx_hash"), text(request, "nonce")
    chain = found[digest.lower()] if digest else _Found()
    open_ = required(request, "status").upper() not in TERMINAL
    match = next((o.tx_hash for o in lost if o.tx_hash not in used and _does(o, request)), None) if open_ and not chain.known else None
    used |= {match} if match else set()
    return RequestState(
        id=required(request, "id"),
        kind=required(request, "kind"),
        status=required(request, "status").upper(),
        token=required(request, "token").lower(),
        amount=required(request, "amount"),
        tx_hash=digest.lower() if digest else None,
        nonce=int(nonce) if nonce is not None else None,
        indexed=true(request, "indexed"),
        receipt=chain.receipt,
        known=chain.known,
        lost_match=match,
        errors=tuple(chain.errors),
    )


def _does(operation: LostOperation, request: Mapping[str, Any]) -> bool:
    """The operation moves what the request asks for: same token, amount and receiver."""
    receiver = (text(request, "recipient") or required(request, "account")).lower()
    return (operation.token, operation.value, operation.recipient) == (
        required(request, "token").lower(),
        required(request, "amount"),
        receiver,
    )


def census(facts: InFlight) -> Census:
    """Each open request in one class. A nonce that the signer has used for something else, or an operation that already did what
    the request asks for, would be done twice by a worker that starts on this state."""
    classes: dict[str, list[str]] = {"landed": [], "never_sent": [], "doubtful": [], "double_send": []}
    contradictions = []
    for request in facts.requests:
        if request.status == "COMPLETED":
            if request.receipt != 1 and not request.errors:
                contradictions.append(
                    f"request {request.id} is COMPLETED, its transaction {request.tx_hash} "
                    f"{'was reverted' if request.receipt == 0 else 'is on no node'}"
                )
            continue
        classes[_class(request, facts.signers)].append(request.id)
    return Census(**{name: tuple(ids) for name, ids in classes.items()}, contradictions=tuple(contradictions))


def _class(request: RequestState, signers: Mapping[str, int]) -> str:
    if request.receipt is not None:
        return "landed"
    if request.known or request.errors:
        return "doubtful"
    if request.lost_match:
        return "double_send"
    if request.nonce is not None:
        if not signers:
            return "doubtful"
        return "double_send" if max(signers.values()) > request.nonce else "doubtful" if request.tx_hash else "never_sent"
    return "doubtful" if request.tx_hash else "never_sent"


def judge_unsafe(facts: InFlight, plan: DrillPlan) -> CheckResult:
    """Starting the workers sends nothing twice, and no completed request is unconfirmed by the chain."""
    expected = "no request that could be sent twice, none completed without its transaction"
    counted = census(facts)
    wrong = [*_double(facts, counted), *counted.contradictions]
    seen = (
        f"{len(counted.landed)} landed, {len(counted.never_sent)} never sent, {len(counted.doubtful)} doubtful, "
        f"{len(counted.double_send)} could be sent twice; {facts.operations_lost} operations ({facts.value_lost} units) since block "
        f"{facts.since_block} unknown to the restored state"
    )
    if wrong:
        return failed(expected, seen, wrong)
    doubt = [f"request {i} is in doubt" for i in counted.doubtful] + list(facts.errors if facts.head is None else ())
    doubt += [f"request {r.id}: {'; '.join(r.errors)}" for r in facts.requests if r.errors and r.receipt is None]
    return inconclusive(expected, seen, doubt) if doubt or facts.head is None else expect(True, expected, seen)


def _double(facts: InFlight, counted: Census) -> Iterator[str]:
    for request in facts.requests:
        if request.id in counted.double_send:
            why = (
                f"transaction {request.lost_match} already did it"
                if request.lost_match
                else f"nonce {request.nonce} is used, the signer's next is {max(facts.signers.values())}"
            )
            yield f"request {request.id} ({request.kind} {request.amount} of {request.token}, {request.status}): {why}"
