"""12345 on a machine without containers: Postgres, Asterisk and the service, started and watched by one command."""


class CannotStart(Exception):
    """Why it does not start, as one line for the person at the keyboard; it names the setting that mends it."""
