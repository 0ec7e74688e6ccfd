"""Percentiles, and the table in which all figures come out."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table. `goal` is what the project wants, as text; empty when there is none."""

    what: str
    value: str
    goal: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed. Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def spread(values: Sequence[float], unit: str = "ms", digits: int = 1) -> str:
    """`p50 3.1  p95 5.0  p99 8.2 ms (n 300)`."""
    if not values:
        return "none"
    shares = "  ".join(f"p{share:g} {percentile(values, share / 100):.{digits}f}" for share in (50, 95, 99))
    return f"{shares} {unit} (n {len(values)})"


def table(title: str, figures: Iterable[Figure]) -> str:
    """One block: title, then what, value and goal in columns."""
    rows = list(figures)
    what = max(len(row.what) for row in rows)
    value = max(len(row.value) for row in rows)
    lines = [f"  {row.what:<{what}}  {row.value:<{value}}  {row.goal}".rstrip() for row in rows]
    return "\n".join([title, *lines, ""])
