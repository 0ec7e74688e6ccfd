"""How the codes of the tables are called (名称): events, choices, clocks, small machines."""

import csv
from pathlib import Path
from typing import Final, NamedTuple

from callcenter.directory.city import KINDS, URGENCIES
from callcenter.workorders.flow import DECLINE, TABLE
from callcenter.workorders.order import State

_HERE: Final = Path(__file__).parent
_PROPOSE: Final = "propose_"


class Words(NamedTuple):
    zh: str
    en: str


def _load() -> dict[tuple[str, str], Words]:
    words = {("urgency", code): Words(level.zh, level.en) for code, level in URGENCIES.items()}
    words |= {("kind", code): Words(kind.zh, kind.en) for code, kind in KINDS.items()}
    with (_HERE / "policies.csv").open(encoding="utf-8", newline="") as file:
        words |= {("clock", row["code"]): Words(row["zh"], row["en"]) for row in csv.DictReader(file)}
    with (_HERE / "words.csv").open(encoding="utf-8", newline="") as file:
        words |= {(row["of"], row["code"]): Words(row["zh"], row["en"]) for row in csv.DictReader(file)}
    return words


#: (a field, a machine, `machine`, `clock`, `unit`, `urge_level`, `closing`; code) -> words. A clock's code is that of
#: the policy that it follows.
WORDS: Final = _load()


def event_words(event: str, state: str) -> Words:
    """How an event is called that was caused in a state; `-` before the order began. One that is not known is its code.

    What waits for a second person (`propose_...`) is told as that.
    """
    if event == DECLINE:
        return Words("复核不同意", "Not agreed")
    proposed = event.startswith(_PROPOSE)
    row = TABLE.get((None if state == "-" else State(state), event.removeprefix(_PROPOSE) if proposed else event))
    if row is None:
        return Words(event, event)
    return Words(f"提请复核：{row.zh}", f"For a second word: {row.en}") if proposed else Words(row.zh, row.en)
