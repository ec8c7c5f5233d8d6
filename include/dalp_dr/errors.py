"""Every error of the core, by whose fault it is. One root, so that a caller can catch all of them.

DrillError
├── InputError            a person wrote something wrong: nothing was touched
│   ├── EnvironmentFileError the environment file
│   └── ParameterError    the parameters of a run
├── RefusedError          the drill may not start or go on: guard, lease, no recovery point
├── FactError             a fact could not be obtained: the check is inconclusive
└── EvidenceError         evidence is incomplete, changed or cannot be stored
"""

from __future__ import annotations


class DrillError(Exception):
    """What happened, and in `next_step` what to do about it."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step

    def diagnostics(self) -> str:
        """The sentence a person reads: what happened, then what to do next."""
        return f"{self} {self.next_step}".strip()


class InputError(DrillError):
    """A person's input is wrong; nothing was written."""


class EnvironmentFileError(InputError):
    """The environment file cannot be used; the message has line and field."""


class ParameterError(InputError):
    """A parameter of the run cannot be used."""


class RefusedError(DrillError):
    """The drill must not start, or must not go on."""


class FactError(DrillError):
    """A fact could not be obtained, so that nothing can be said about it."""


class EvidenceError(DrillError):
    """Evidence is missing, was changed, or cannot be kept."""
