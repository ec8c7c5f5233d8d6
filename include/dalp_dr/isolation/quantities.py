"""Kubernetes quantities as whole numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from dalp_dr.errors import FactError

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY = re.compile(r"^([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]i?|Ki)?$")


def number(quantity: str | float) -> Decimal:
    """The exact value of a quantity such as `100m`, `1.5`, `128Mi` or `1e3`. Raises FactError when it is none."""
    match = _QUANTITY.match(str(quantity).strip())
    suffix = (match.group(2) or "") if match else ""
    if not match or suffix not in _SUFFIXES:
        raise FactError(f"{quantity!r} is not a Kubernetes quantity.", "Look at the object it was read from.")
    return Decimal(match.group(1)) * _SUFFIXES[suffix]


def millicores(quantity: str | float) -> int:
    """CPU in thousandths of a core, rounded up."""
    return math.ceil(number(quantity) * 1000)


def whole_bytes(quantity: str | float) -> int:
    """Memory or disk in bytes, rounded up."""
    return math.ceil(number(quantity))
