"""The owner's sign-off as the runner plays it in the lab: when it answers, what it approves, when it refuses to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dalp_dr_lab.drill.rest import Question
from dalp_dr_lab.errors import LabError

OWNER = "owner"
# Airflow fails a task that is answered in the second it parks (the executor's exit event is handled after the answer).
PATIENCE_SECONDS = 5.0
ATTEMPTS = 3
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the runner answers a question with."""

    question: Question
    option: str
    form: Mapping[str, Any]
    digest: str


def answer(question: Question, sealed_digest: str | None) -> Answer:
    """The owner's approval of the digest that the question shows.

    LabError when it shows no digest or another one than the sealed bundle has, when it is put to someone else, or when
    nothing in it is an approval: then a person must look.
    """
    if question.assigned_users and OWNER not in question.assigned_users:
        raise LabError(f"{question.task_id} asks {', '.join(question.assigned_users)}, whom the runner does not play.")
    shown = shown_digest(question)
    if shown is None:
        raise LabError(f"{question.task_id} shows no digest, so there is nothing to approve. Look at the seal task.")
    if sealed_digest is not None and shown != sealed_digest:
        raise LabError(
            f"{question.task_id} shows digest {shown}, but the sealed bundle has {sealed_digest}. Do not approve; clear the seal task."
        )
    option = next((one for one in question.options if one.lower().startswith("approve")), None)
    if option is None:
        raise LabError(f"{question.task_id} offers {', '.join(question.options)}: none of them is an approval.")
    return Answer(question, option, filled(question.form, shown), shown)


def shown_digest(question: Question) -> str | None:
    """The one sha256 in the question's text or form; None when there is none or more than one."""
    texts = [question.subject, question.body, *(str(value) for value in question.form.values())]
    found = {digest for text in texts for digest in _DIGEST.findall(text)}
    return found.pop() if len(found) == 1 else None


def filled(form: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """The form with the digest repeated where it asks for one, a word from the runner where it asks for one."""

    def value(name: str, default: Any) -> Any:
        if "digest" in name or "sha256" in name:
            return digest
        if any(word in name for word in ("comment", "note", "reason", "statement")):
            return default or "Played by the runner of the lab: no person looked at this drill."
        return default

    return {name: value(name, default) for name, default in form.items()}


@dataclass(slots=True)
class Patience:
    """Remembers how long each question has been open and how often it was answered."""

    first_seen: dict[tuple[str, int, int], float] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)

    def due(self, question: Question, now_seconds: float) -> bool:
        """Whether the question has been open long enough; `now_seconds` is a monotonic clock's."""
        key = (question.task_id, question.map_index, question.try_number)
        return now_seconds - self.first_seen.setdefault(key, now_seconds) >= PATIENCE_SECONDS

    def count(self, question: Question) -> None:
        """Note an answer; LabError when the same task has asked again and again."""
        times = self.answered[question.task_id] = self.answered.get(question.task_id, 0) + 1
        if times > ATTEMPTS:
            raise LabError(f"{question.task_id} did not take the answer {ATTEMPTS} times. Read its log in the page.")
