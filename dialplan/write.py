"""Write the generated files of asterisk-conf/: `python -m dialplan.write`. A test fails when they are stale."""

from pathlib import Path

from dialplan.extensions import extensions_conf
from dialplan.queues import queues_conf

CONF = Path(__file__).parent.parent / "asterisk-conf"


def written() -> dict[str, str]:
    """File name -> text of every generated file that is the same in all installations."""
    return {"extensions.conf": extensions_conf(), "queues.conf": queues_conf()}


if __name__ == "__main__":
    for name, text in written().items():
        (CONF / name).write_text(text, encoding="utf-8")
