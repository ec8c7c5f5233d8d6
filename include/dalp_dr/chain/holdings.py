"""The application's own record of holdings against the index, with what was under way between the two.

The application books a request when it sees its receipt, the index when it reads the block. At any moment some requests are in
one and not yet in the other; each explains an exact difference, and only what is left over is a fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dalp_dr.database.rows import Rows, integer, required, text, true

TERMINAL = {"COMPLETED", "FAILED", "DEAD_LETTER", "CANCELLED"}


@dataclass(frozen=True)
class HoldingDifference:
    """One account and token. Amounts are decimal strings; `explained`: what requests under way account for, index minus database.

    `requests`: their ids.
    """

    account: str
    token: str
    database: str
    index: str
    explained: str
    requests: tuple[str, ...]

    @property
    def left(self) -> int:
        """What no request explains."""
        return int(self.index) - int(self.database) - int(self.explained)


def compare(holdings: Rows, balances: Rows, requests: Rows) -> tuple[int, tuple[HoldingDifference, ...]]:
    """(pairs of account and token compared, those that differ before or after explanation). Raises FactError."""
    accounts = {required(h, "account").lower() for h in holdings}
    database = {(required(h, "account").lower(), required(h, "token").lower()): integer(h, "amount") for h in holdings if text(h, "token")}
    index = {
        (required(b, "holder").lower(), required(b, "token").lower()): integer(b, "balance")
        for b in balances
        if required(b, "holder").lower() in accounts
    }
    explained, under_way = _under_way(requests)
    pairs = sorted({*database, *index, *(pair for pair in explained if pair[0] in accounts)})
    differences = []
    for pair in pairs:
        ours, theirs, due = database.get(pair, 0), index.get(pair, 0), explained.get(pair, 0)
        if ours != theirs or due:
            differences.append(HoldingDifference(*pair, str(ours), str(theirs), str(due), tuple(under_way.get(pair, ()))))
    return len(pairs), tuple(differences)


def _under_way(requests: Rows) -> tuple[Mapping[tuple[str, str], int], Mapping[tuple[str, str], list[str]]]:
    """By (account, token): what the index has more than the database, and which requests that is of."""
    amounts: dict[tuple[str, str], int] = defaultdict(int)
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for request in requests:
        status, indexed = required(request, "status").upper(), true(request, "indexed")
        booked = status == "COMPLETED"
        if indexed == booked or (status in TERMINAL and not booked):
            continue
        for account, change in effects(request):
            pair = (account, required(request, "token").lower())
            amounts[pair] += change if indexed else -change
            ids[pair].append(required(request, "id"))
    return amounts, ids


def effects(request: Mapping[str, object]) -> tuple[tuple[str, int], ...]:
    """(account, change) of a request: a mint adds to the account, a transfer moves from it to the recipient."""
    account, amount = required(request, "account").lower(), integer(request, "amount")
    recipient = text(request, "recipient")
    if recipient is None:
        return ((account, amount),)
    return ((account, -amount), (recipient.lower(), amount))
