"""Questions to an RPC node and its raw answers. What is missing or an error is never taken for zero or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dalp_dr.errors import FactError

Request = tuple[str, Sequence[Any]]
Ask = Callable[[Sequence[Request]], Sequence[Mapping[str, Any]]]  # answers: {"result": ...} or {"error": {...}}, aligned


class NoAnswer(FactError):
    """The node gave an error, or nothing, where an answer was needed."""


def result(answer: Mapping[str, Any]) -> Any:
    """The result; None where the node says null. Raises NoAnswer."""
    if answer.get("error") is not None or "result" not in answer:
        error = answer.get("error")
        said = error.get("message") if isinstance(error, Mapping) else error
        raise NoAnswer(f"the node answered with an error: {said or 'neither result nor error'}", "Ask the node's operator.")
    return answer["result"]


def asked(ask: Ask, requests: Sequence[Request]) -> list[Mapping[str, Any]]:
    """One answer for each request; where the node gave fewer, the rest are errors."""
    answers = list(ask(requests)) if requests else []
    return answers[: len(requests)] + [{"error": {"message": "no answer"}}] * (len(requests) - len(answers))


def quantity(value: Any) -> int:
    """A hexadecimal quantity. Raises NoAnswer when it is none."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NoAnswer(f"the node answered {value!r} where a number was asked", "Ask the node's operator.")
    try:
        return int(value, 16)
    except ValueError:
        raise NoAnswer(f"the node answered {value!r} where a number was asked", "Ask the node's operator.") from None


def block(number: int | str) -> Request:
    """The request for a block's header: a number, or a tag such as `latest`."""
    return "eth_getBlockByNumber", [number if isinstance(number, str) else hex(number), False]


def block_hash(answer: Mapping[str, Any]) -> str | None:
    """Hash of a block, None when the node has no such block. Raises NoAnswer."""
    found = result(answer)
    if found is None:
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("hash"), str):
        raise NoAnswer("the node answered something that is not a block", "Ask the node's operator.")
    return str(found["hash"]).lower()


def block_hashes(ask: Ask, numbers: Iterable[int]) -> dict[int, str | NoAnswer | None]:
    """Number -> hash, None (no such block) or the error."""
    wanted = list(numbers)
    found: dict[int, str | NoAnswer | None] = {}
    for number, answer in zip(wanted, asked(ask, [block(n) for n in wanted]), strict=True):
        try:
            found[number] = block_hash(answer)
        except NoAnswer as error:
            found[number] = error
    return found


def first_block_since(ask: Ask, seconds: int, head: int) -> int:
    """Number of the first block whose timestamp (UTC, seconds) is not before `seconds`; head + 1 when there is none.

    Bisects, since timestamps never fall. Raises NoAnswer.
    """
    low, high = 0, head + 1
    while low < high:
        middle = (low + high) // 2
        found = result(asked(ask, [block(middle)])[0])
        if not isinstance(found, Mapping):
            raise NoAnswer(f"the node has no block {middle} below its head {head}", "Ask another node.")
        if quantity(found.get("timestamp")) >= seconds:
            high = middle
        else:
            low = middle + 1
    return low
