"""The menu (语音菜单) that a caller hears before a person answers.

GB/T 33358-2016 wants no menu before the person, so no key is needed: whoever presses none goes straight to the queue.
"""

from typing import Final, NamedTuple

from ivr.prompts import Language


class Say(NamedTuple):
    """Prompts said in one language, one after the other."""

    language: Language
    prompts: tuple[str, ...]


class Choice(NamedTuple):
    """What a key leads to. `place` is the menu place shown to the agent; None keeps the language.

    `queue`: None leads to the queue of the number that was dialled. `priority`: a word of agents/priority.py; a
    key that has one works while the caller waits, too.
    """

    key: str
    place: str
    queue: str | None
    language: Language | None = None
    priority: str = ""


class Menu(NamedTuple):
    """What is said, what the keys do, and the queue of those who press none, unless their number has another."""

    say: tuple[Say, ...]
    choices: tuple[Choice, ...]
    queue: str


MENU: Final = Menu(
    say=(
        Say("zh", ("greeting", "recording-notice", "key-enterprise")),
        Say("en", ("greeting", "recording-notice", "key-english")),
    ),
    choices=(
        Choice("1", "english", "english", "en"),
        Choice("2", "enterprise", "enterprise"),
        Choice("9", "danger", "danger", priority="danger"),
    ),
    queue="citizen",
)

#: Said as the music of the queue begins, and each time it begins again: the key works before and all the while. In both
#: languages: who is in danger may have pressed no key for a language.
#: Meanwhile app_queue looks for a free seat, as it does not while it speaks itself.
WAITING: Final = "danger-in-both"
#: Said after the recording notice where the law wants callers told that a supervisor may listen.
SUPERVISION_NOTICE: Final = "supervision-notice"
#: What callers of an old number hear after the greeting, once it is part of 12345 (domain.md R12).
MOVED: Final = "number-moved"

#: What a caller hears when no person could take the call: Asterisk's QUEUESTATUS -> prompt.
FAREWELLS: Final[dict[str, str]] = {
    "TIMEOUT": "all-busy",
    "FULL": "lines-full",
    "JOINEMPTY": "nobody-on-duty",
    "JOINUNAVAIL": "nobody-on-duty",
    "LEAVEEMPTY": "nobody-on-duty",
    "LEAVEUNAVAIL": "nobody-on-duty",
    "WITHDRAW": "nobody-on-duty",
}
