"""Write the generated files of asterisk-conf/: `python -m dialplan.write`. A test fails when they are stale."""

from pathlib import Path

from agents.guard import GUARD
from agents.queues import ENTERED, STANDBY
from dialplan import names
from dialplan.extensions import extensions_conf
from dialplan.queues import queues_conf
from dialplan.routing import Way, queuerules_conf, routing_conf
from ivr.menu import MENU
from ivr.services import SERVICES

CONF = Path(__file__).parent.parent / "asterisk-conf"


def written() -> dict[str, str]:
    """File name -> text of every generated file that is the same in all installations."""
    ways = {service.code: Way(MENU.queue) for service in SERVICES}
    return {
        "extensions.conf": extensions_conf(),
        names.QUEUES_FILE: queues_conf((*ENTERED, STANDBY), GUARD),
        names.GUARD_FILE: queuerules_conf(GUARD),
        names.ROUTING_FILE: routing_conf(ENTERED, GUARD, ways),
    }


if __name__ == "__main__":
    for name, text in written().items():
        (CONF / name).write_text(text, encoding="utf-8")
