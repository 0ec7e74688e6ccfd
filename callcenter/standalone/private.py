"""Files that only we may read."""

import os
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all; it is readable by us alone from its first byte on. Raises OSError."""
    new = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    new.replace(file)
