"""The time. The core never asks for it: it is given `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime | None) -> str | None:
    """As the API writes a moment: ISO 8601, UTC with `Z`, milliseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
