"""Expert seats (专家座席): an agent asks in writing without losing the citizen (domain.md R25)."""
