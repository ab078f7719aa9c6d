"""Numbers as plain text: rounded to the size of their error, a p-value never as zero."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

SMALLEST_P = 0.001


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals, halves away from zero as a reader would round them.

    >>> fixed(1.31 / 2, 2), fixed(-1234.5, 0), fixed(-0.001, 1)
    ('0.66', '−1,235', '0.0')
    """
    exact = Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{exact:,f}"
    return text.replace("-", "−") if exact else text.lstrip("-")


def rounded(value: float, error: float, unbounded: str = "∞") -> str:
    """A number with as many decimals as two digits of its error have; minus sign, not hyphen.

    Where the error is unknown or zero the number keeps three digits of its own.

    >>> rounded(-0.12345, 0.031), rounded(1234.5, 210), rounded(0.5, float("nan"))
    ('−0.123', '1,234', '0.500')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return unbounded if value > 0 else f"−{unbounded}" if unbounded == "∞" else unbounded
    known = math.isfinite(error) and error > 0
    size = error if known else abs(value)
    digits = (1 if known else 2) - math.floor(math.log10(size)) if size > 0 else 0
    text = f"{value:,.{max(0, digits)}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", "−")


def chance(p: float) -> str:
    """A p-value with its sign of comparison: ``= 0.042``, ``< 0.001``.

    >>> chance(0.0421), chance(0.0001), chance(0.9999)
    ('= 0.042', '< 0.001', '= 1.000')
    """
    if math.isnan(p):
        return "= –"
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"= {p:.3f}"
