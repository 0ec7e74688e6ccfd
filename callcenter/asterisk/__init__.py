"""The telephone line: the only place that knows how Asterisk speaks."""
