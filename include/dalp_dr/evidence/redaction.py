"""Takes secrets out of raw answers and error texts before they become evidence.

Known secret values are masked wherever they occur, plain, base64, URL-quoted or JSON-escaped. What looks like a secret
is masked by its form: passwords in URLs and DSNs, Authorization headers, private keys, JSON Web Tokens, cloud keys.
Data of Kubernetes Secrets becomes digests, so that two answers can still be compared.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[masked]"
SHORTEST = 4  # shorter values would mask ordinary words
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SENSITIVE = (
    r"[\w.-]*(?:password|passwd|passphrase|pwd|secret[_-]?access[_-]?key|secret[_-]?key|client[_-]?secret|api[_-]?key"
    r"|access[_-]?key(?:[_-]?id)?|private[_-]?key|(?:access|auth|id|refresh|session|bearer)[_-]?token|credentials?)"
)
_SENSITIVE_NAME = re.compile(rf"^(?:{_SENSITIVE}|secret)$", re.IGNORECASE)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
    ),
    (re.compile(r"\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*"), MASK),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s\"']*@", re.IGNORECASE), rf"\1{MASK}@"),
    (
        re.compile(
            r"((?:proxy-)?authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?:(?:bearer|basic|digest|token)\s+)?[^\s\"',\\]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (
        re.compile(rf"({_SENSITIVE}\\?[\"']?\s*[=:]\s*)(\\?)([\"'])(?:(?!\2\3).)+\2\3", re.IGNORECASE),
        rf"\1\2\3{MASK}\2\3",
    ),
    (re.compile(rf"({_SENSITIVE}\\?[\"']?\s*[=:]\s*)(?![\s\\\"'\[{{])[^\s\"',;&}}\\]+", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(r"((?:https?|wss?)://[^\s\"']*/)(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{20,}(?=[/?#\s\"'.,;:)\]}>]|\Z)"),
        rf"\1{MASK}",
    ),
)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secret values and without anything that looks like one."""
    for form in _forms(secrets):
        text = text.replace(form, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_answer(answer: bytes | str | Mapping[str, Any] | list[Any], secrets: Iterable[str] = (), salt: str = "") -> bytes:
    """A raw answer as it may be kept. JSON keeps its structure; Kubernetes Secrets keep digests (salted with
    `salt`).
    """
    known = tuple(secrets)
    if isinstance(answer, bytes):
        answer = answer.decode("utf-8", errors="backslashreplace")
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except (ValueError, RecursionError):
            return redact_text(str(answer), known).encode()
    masked = _Redaction(known, salt).value(answer)
    return json.dumps(masked, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8", errors="backslashreplace")


class _Redaction:
    """Walks plain JSON values."""

    def __init__(self, secrets: tuple[str, ...], salt: str) -> None:
        self.secrets = secrets
        self.salt = salt

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return redact_text(value, self.secrets)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        kind = value.get("kind")
        if kind == "Secret":
            return self._secret(value)
        if kind == "SecretList":
            items = value.get("items") or []
            return {
                **self._fields({k: v for k, v in value.items() if k != "items"}),
                "items": [self._secret(i) for i in items],
            }
        return self._fields(value)

    def _secret(self, value: Mapping[str, Any]) -> dict[str, Any]:
        rest = self._fields({k: v for k, v in value.items() if k not in ("data", "stringData")})
        annotations = (rest.get("metadata") or {}).get("annotations") or {}
        if _LAST_APPLIED in annotations:
            annotations[_LAST_APPLIED] = MASK
        for field in ("data", "stringData"):
            if isinstance(value.get(field), Mapping):
                rest[field] = {k: self._digest(str(v)) for k, v in value[field].items()}
        return rest

    def _fields(self, value: Mapping[str, Any]) -> dict[str, Any]:
        named = isinstance(value.get("name"), str) and _SENSITIVE_NAME.match(str(value["name"]))  # {name: DB_PASSWORD, value: ...}
        found: dict[str, Any] = {}
        for key, item in value.items():
            sensitive = _SENSITIVE_NAME.match(str(key)) or (named and key == "value")
            found[redact_text(str(key), self.secrets)] = MASK if sensitive and isinstance(item, (str, int)) else self.value(item)
        return found

    def _digest(self, value: str) -> str:
        return "sha256:" + hashlib.sha256((self.salt + value).encode("utf-8", errors="backslashreplace")).hexdigest()


def _forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every way a known value may be written, longest first."""
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) < SHORTEST:
            continue
        forms |= {
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        }
        forms |= set(_base64_forms(secret.encode("utf-8", errors="surrogateescape")))
    return tuple(sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True))


def _base64_forms(secret: bytes) -> Iterable[str]:
    """The part of a base64 text that belongs to `secret` alone, for each of the three places it may start at."""
    for lead in range(3):
        whole = base64.b64encode(b"\0" * lead + secret).decode().rstrip("=")
        if (len(secret) + lead) % 3:
            whole = whole[:-1]  # the last character mixes with what follows
        part = whole[(0, 2, 3)[lead] :]
        if len(part) >= 8:
            yield part
            yield part.replace("+", "-").replace("/", "_")
