"""Draws README.md's table of settings from callcenter/settings.py. A test fails when it is stale."""

import re
from pathlib import Path

from pydantic import SecretStr

from callcenter.settings import Settings

README = Path(__file__).parent.parent / "README.md"
_BETWEEN = re.compile(r"(<!-- settings:begin -->\n).*?(<!-- settings:end -->)", re.DOTALL)


def settings_table() -> str:
    """Every option with its default and its description, as Markdown."""
    rows = ["| `CALLCENTER_...` | Default | What it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if value in (None, "") else f"`{','.join(map(str, value)) if isinstance(value, tuple) else value}`"
        rows.append(f"| `{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str) -> str:
    """README's text with the table as it should be."""
    return _BETWEEN.sub(lambda match: match[1] + settings_table() + match[2], readme)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
