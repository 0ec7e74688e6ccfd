"""The life of an order as a picture (工单流转图), drawn from the tables that decide. Pure: text in, SVG out.

`python -m callcenter.workorders.diagram FOLDER` writes both languages; a test fails when those in docs/ are stale.
Each state is a card with all that leads from it; the heavy arrows are the way that most orders go. Twenty-three states
with eighty-six arrows between them could not be read.
"""

import sys
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from callcenter.workorders.flow import STATES, TRANSITIONS, Transition
from callcenter.workorders.order import State

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")

#: Phases, each a column of states from top to bottom.
COLUMNS: Final[tuple[tuple[str, str, tuple[State, ...]], ...]] = (
    ("受理", "Taking up", (State.DRAFT, State.SUBMITTED, State.AWAITING_INFO, State.INVESTIGATING)),
    ("派单", "Dispatch", (State.PENDING_DISPATCH, State.DISPATCHED, State.RETURN_REVIEW, State.DISPUTED)),
    ("办理", "Handling", (State.IN_PROGRESS, State.SUSPENDED, State.REHANDLE)),
    ("审核与回访", "Audit and visit", (State.REPLIED, State.PENDING_VISIT, State.VISIT_RETRY, State.JUDGING)),
    (
        "结束",
        "The end",
        (
            State.CLOSED,
            State.ARCHIVED,
            State.ANSWERED,
            State.NOT_ACCEPTED,
            State.TRANSFERRED_OUT,
            State.WITHDRAWN,
            State.MERGED,
            State.INVALID,
        ),
    ),
)
#: The way that most orders go.
MAIN: Final = (
    State.DRAFT,
    State.PENDING_DISPATCH,
    State.DISPATCHED,
    State.IN_PROGRESS,
    State.REPLIED,
    State.PENDING_VISIT,
    State.CLOSED,
    State.ARCHIVED,
)
ROLE_WORDS: Final = {
    "citizen": ("市民", "citizen"),
    "operator": ("受理员", "operator"),
    "support": ("研判员", "support"),
    "expert": ("专家", "expert"),
    "dispatcher": ("派单员", "dispatcher"),
    "coordinator": ("协调员", "coordinator"),
    "leader": ("市领导", "leader"),
    "liaison": ("联络员", "liaison"),
    "handler": ("承办人", "handler"),
    "street": ("街道", "street"),
    "unit_leader": ("单位领导", "unit reviewer"),
    "inspector": ("质检员", "inspector"),
    "visitor": ("回访员", "visitor"),
    "follow_up": ("跟办员", "follow-up"),
    "oversight": ("监督", "oversight"),
    "supervisor": ("主管", "supervisor"),
    "peer": ("并行热线", "peer"),
    "system": ("系统", "clock"),
}
#: Roles that another one named beside them stands for.
_UNSAID: Final = frozenset({"enterprise", "operator_ent"})
_COLOURS: Final = {"open": "#14509b", "paused": "#8a5300", "closed": "#12703f", "final": "#4b5a6b"}
_KINDS: Final = {
    "open": ("办理中", "open"),
    "paused": ("暂停计时", "clock stands still"),
    "closed": ("已办结", "closed"),
    "final": ("终结", "final"),
}
_GAP, _LEFT, _TOP = 44, 24, 132
#: Of a card, in each language.
_WIDTHS: Final = (330, 440)
_HEAD, _LINE, _SPACE = 34, 19, 20
_FONT: Final = "Inter, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


def svg(language: Language) -> str:
    """The picture in one language."""
    which = 0 if language == "zh" else 1
    wide = _WIDTHS[which]
    cards = _places(wide)
    height = max(y + tall for _, y, tall in cards.values()) + 24
    width = 2 * _LEFT + len(COLUMNS) * wide + (len(COLUMNS) - 1) * _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="{_FONT}" font-size="12.5">',
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5"'
        ' orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#c2410c"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_title(which),
    ]
    for n, (zh, en, _) in enumerate(COLUMNS):
        x = _LEFT + n * (wide + _GAP)
        parts.append(_text(x + 2, _TOP - 14, (zh, en)[which], size=15, weight=650, colour="#4b5a6b"))
    for state in cards:
        parts += _card(state, cards[state], which)
    parts += [_arrow(cards[one], cards[other], wide) for one, other in pairwise(MAIN)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _title(which: int) -> Iterator[str]:
    n = (
        f"{len(STATES)} 个状态，{len(TRANSITIONS)} 条流转",
        f"{len(STATES)} states, {len(TRANSITIONS)} ways between them",
    )
    heading = ("12345 工单流转：", "The life of a 12345 order: ")[which] + n[which]
    yield _text(_LEFT + 2, 36, heading, size=21, weight=650)
    words = (
        "每张卡片是一个状态；行内依次为：操作 → 转到的状态（谁可以做；+ 为须另一人复核）。粗箭头为常见路径。",
        "Each card is a state; its lines say: what is done → where it leads (by whom; + a second person agrees)."
        " Heavy arrows: the usual way.",
    )
    yield _text(_LEFT + 2, 60, words[which], colour="#4b5a6b")
    x = _LEFT + 2.0
    for kind, names in _KINDS.items():
        yield f'<rect x="{x}" y="70" width="11" height="11" rx="2" fill="{_COLOURS[kind]}"/>'
        yield _text(x + 16, 80, names[which], colour="#4b5a6b")
        x += 140


def _rows(state: State) -> list[Transition]:
    return [row for (begun, _), row in TRANSITIONS.items() if begun is state]


def _places(wide: int) -> dict[State, tuple[int, int, int]]:
    """Where each card stands: left, top, height."""
    found = {}
    for n, (_, _, states) in enumerate(COLUMNS):
        y = _TOP
        for state in states:
            tall = _HEAD + _LINE * len(_rows(state)) + (8 if _rows(state) else 0)
            found[state] = (_LEFT + n * (wide + _GAP), y, tall)
            y += tall + _SPACE
    return found


def _card(state: State, place: tuple[int, int, int], which: int) -> Iterator[str]:
    x, y, tall = place
    wide = _WIDTHS[which]
    row = STATES[state]
    colour = _COLOURS[row.kind]
    weight = 2.4 if state in MAIN else 1
    yield (
        f'<g><rect x="{x}" y="{y}" width="{wide}" height="{tall}" rx="8" fill="#fff" stroke="{colour}"'
        f' stroke-width="{weight}"/>'
    )
    yield f'<path d="M{x} {y + 8}a8 8 0 0 1 8 -8h{wide - 16}a8 8 0 0 1 8 8v{_HEAD - 12}h-{wide}z" fill="{colour}"/>'
    yield _text(x + 10, y + 18.5, _short((row.zh, row.en)[which], 44), size=14, weight=650, colour="#fff")
    for n, each in enumerate(_rows(state)):
        at = y + _HEAD + _LINE * (n + 1) - 6
        name = (each.zh, each.en)[which]
        target = STATES[each.to]
        to = (target.zh, target.en)[which]
        by = f"{_who(each.who, which)}{'+' if each.second else ''}"
        words = escape(_short(name, 32))
        stays = each.to is state
        to = ("原状态", "stays")[which] if stays else _short(to, 30)
        tone = "#5a6675" if stays else _COLOURS[target.kind]
        yield (
            f'<text x="{x + 10}" y="{at}" fill="#14202d">{words}'
            f' <tspan fill="{tone}" font-weight="600">→ {escape(to)}</tspan></text>'
        )
        yield (
            f'<text x="{x + wide - 8}" y="{at}" fill="#4b5a6b" font-size="10.5" text-anchor="end">'
            f"{escape(_short(by, 14 if which else 12))}</text>"
        )
    yield "</g>"


def _who(roles: frozenset[str], which: int) -> str:
    named = [names[which] for role, names in ROLE_WORDS.items() if role in roles - _UNSAID]
    return named[0] + ("等" if which == 0 else " …") if len(named) > 1 else "".join(named)


def _short(text: str, most: int) -> str:
    """Cut so that it fits: a Chinese character is as wide as two others."""
    wide = 0
    for n, letter in enumerate(text):
        wide += 2 if ord(letter) > 0x2E80 else 1
        if wide > most:
            return text[:n].rstrip() + "…"
    return text


def _arrow(one: tuple[int, int, int], other: tuple[int, int, int], wide: int) -> str:
    """From a card to the next: down within a column, else from its right side to the next one's left."""
    (x, y, tall), (to_x, to_y, _) = one, other
    if x == to_x:
        middle = x + wide - 40
        path = f"M{middle} {y + tall}V{to_y}"
    else:
        start, end = x + wide, to_x
        bend = (start + end) / 2
        path = f"M{start} {y + 16}C{bend} {y + 16} {bend} {to_y + 16} {end} {to_y + 16}"
    return f'<path d="{path}" fill="none" stroke="#c2410c" stroke-width="3.2" marker-end="url(#arrow)"/>'


def _text(x: float, y: float, words: str, *, size: float = 12.5, weight: int = 400, colour: str = "#14202d") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(words)}</text>'


def write(folder: Path) -> None:
    """Write both languages into a folder."""
    folder.mkdir(exist_ok=True)
    for language in LANGUAGES:
        (folder / f"order-flow.{language}.svg").write_text(svg(language), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
