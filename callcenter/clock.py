"""The time. The core never asks for it: it is given `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime | None) -> str | None:
    """As the API writes a moment: ISO 8601, UTC with `Z`, milliseconds."""
    if at is None:
        return None
    # Almost every moment here is in UTC already, and thousands are written each second.
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"
