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
    """What a key leads to. `place` is the menu place shown to the agent; None keeps the language."""

    key: str
    place: str
    queue: str
    language: Language | None = None


class Menu(NamedTuple):
    """What is said, what the keys do, and the queue of those who press none."""

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
    ),
    queue="citizen",
)

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
