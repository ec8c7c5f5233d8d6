"""Life on the platform: mints, transfers, documents and telemetry through the real API; ends when all of it is settled.

The same seed asks for the same things in the same order. Every run leaves a known metric, log line and trace, whose
names are printed and kept in miniature-telemetry.json, so that they can be looked for in a restored copy.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dalp_dr_lab import owner
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import installation, source
from dalp_dr_lab.miniature.services import rpc
from dalp_dr_lab.progress import step

SETTLED_SECONDS = 120
OPEN = "status not in ('COMPLETED', 'FAILED', 'DEAD_LETTER', 'CANCELLED')"


@dataclass(frozen=True)
class Amounts:
    """How much traffic one run makes."""

    mints: int
    transfers: int
    uploads: int
    exports: int


ORDINARY = Amounts(mints=10, transfers=14, uploads=4, exports=1)


@dataclass(frozen=True)
class Client:
    """The API with a key that may write."""

    url: str
    key: str

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One call's parsed answer; LabError with the API's own words when it refuses."""
        request = urllib.request.Request(self.url + path, body, {"X-Api-Key": self.key}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise LabError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:300]}") from error

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """POST a JSON object."""
        return self.call("POST", path, json.dumps(body).encode())


def run(lab: Lab, seed: int, amounts: Amounts) -> dict[str, Any]:
    """Make traffic, wait until chain, index and database agree about it, and say what was made."""
    facts, dice = installation.load(lab), random.Random(seed)
    with source.forward(lab, "dalp", "service/dalp-dapi", 3000) as url:
        client = Client(url, facts.writer_api_key)
        with step("requests"):
            _requests(client, dice, facts.tokens, amounts)
            settle(lab)
        with step("documents"):
            _documents(client, dice, seed, amounts)
    with step("telemetry"):
        telemetry = _telemetry(lab, seed, amounts)
    made = {"seed": seed, **amounts.__dict__, "telemetry": telemetry}
    (lab.folder / "miniature-telemetry.json").write_text(json.dumps(telemetry, indent=1) + "\n")
    return made


def _requests(client: Client, dice: random.Random, tokens: Sequence[str], amounts: Amounts) -> None:
    """Mints first, then transfers of a part of what the sender was just minted, so that none can fail."""
    scale = {item["id"]: 10 ** item["decimals"] for item in client.call("GET", "/api/v2/tokens")["data"]}
    budget: dict[tuple[str, int], int] = {}
    for number in range(amounts.mints):
        token, account = tokens[number % len(tokens)], dice.randint(1, installation.ACCOUNTS)
        amount = dice.randint(1_000, 90_000) * scale[token] + dice.randint(0, scale[token] - 1)
        client.post(f"/api/v2/tokens/{token}/mints", {"accountId": account, "amountExact": str(amount)})
        budget[token, account] = budget.get((token, account), 0) + amount
    for _ in range(amounts.transfers if budget else 0):
        (token, sender), available = dice.choice(sorted(budget.items()))
        recipient = dice.choice([n for n in range(1, installation.ACCOUNTS + 1) if n != sender])
        amount = dice.randint(1, max(1, available // 4))
        body = {"accountId": sender, "recipientAccountId": recipient, "amountExact": str(amount)}
        client.post(f"/api/v2/tokens/{token}/transfers", body)
        budget[token, sender] = available - amount


def _documents(client: Client, dice: random.Random, seed: int, amounts: Amounts) -> None:
    """New uploads, one of them in a second version, and exports."""
    for number in range(amounts.uploads):
        data = dice.randbytes(dice.randint(2_000, 20_000))
        client.call("POST", f"/api/v2/documents?kind=upload&name=prospectus-{seed}-{number}.pdf", data)
    if amounts.uploads:
        client.call("POST", f"/api/v2/documents?kind=upload&name=prospectus-{seed}-0.pdf", dice.randbytes(5_000))
    for number in range(amounts.exports):
        client.call("POST", f"/api/v2/documents?kind=export&name=balances-{seed}-{number}.csv", b"")


def settle(lab: Lab) -> None:
    """Wait until no request is open and the index has the chain's newest block; LabError when that does not come."""

    def settled() -> bool:
        head = int(rpc.call(lab.chain_url, "eth_blockNumber"), 16)
        waiting = f"select count(*) from transaction_request where {OPEN}"
        statement = f"select ({waiting}), (select block_number from idxr_checkpoint)"
        pending, _, indexed = source.sql(lab, statement).partition("|")
        return pending == "0" and indexed.isdigit() and int(indexed) >= head

    source.wait("all requests finished and indexed", settled, SETTLED_SECONDS)


def _telemetry(lab: Lab, seed: int, amounts: Amounts) -> dict[str, Any]:
    """Store one known metric, log line and trace, and read each back."""
    run_id = f"traffic-{seed}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    metric, trace = "dalp_traffic_requests_total", f"{run_id}-trace"
    total, at = amounts.mints + amounts.transfers, time.time()
    entries = {
        "metrics": [{"at": at, "name": metric, "value": total, "labels": {"run": run_id}}],
        "logs": [{"at": at, "service": "traffic", "line": f"{run_id} finished"}],
        "traces": [{"at": at, "id": trace, "service": "traffic", "name": "run"}],
    }
    queries = (f"/metrics/query?name={metric}", f"/logs/query?contains={run_id}", f"/traces/query?id={trace}")
    with source.forward(lab, "dalp-observability", "service/observability", 9090) as url:
        client = Client(url, "")
        client.post("/ingest", entries)
        for query in queries:
            if not client.call("GET", query)["data"]:
                raise LabError(f"The observability service took telemetry but does not find it: {query}.")
    return {"run": run_id, "metric": metric, "metric_value": total, "log_contains": run_id, "trace_id": trace}


def main(argv: Sequence[str]) -> int:
    """`traffic`: make traffic and print what was made as JSON."""
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0, help="which traffic; 0 takes the next unused number")
    for name, default in asdict(ORDINARY).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args(argv)
    lab = Lab.load()
    with owner.one_at_a_time(lab):
        seed = given.seed or next_seed(lab)
        made = run(lab, seed, Amounts(given.mints, given.transfers, given.uploads, given.exports))
    print(json.dumps(made))
    return 0


def next_seed(lab: Lab) -> int:
    """One more than the number of requests there are: the same on every fresh lab, another one at each further run."""
    return int(source.sql(lab, "select count(*) from transaction_request")) + 1
