"""What can be switched on in one act (预案): texts, prompt and pinned answers, as they are or changed first."""

from typing import Final, NamedTuple

from callcenter.announcements.flow import Kind, Pinned


class Preset(NamedTuple):
    """A ready announcement. `hours`: how long it is on unless told otherwise."""

    code: str
    kind: Kind
    zh: str
    en: str
    hours: int
    prompt: str
    answers: tuple[Pinned, ...] = ()


PRESETS: Final = (
    Preset(
        "storm",
        Kind.GUIDANCE,
        "暴雨预警：请减少外出，避开低洼路段和地下空间；遇险请拨 119，受伤请拨 120。",
        "Storm warning: stay indoors, keep away from low roads and basements. In danger dial 119, if hurt dial 120.",
        12,
        "announcement-storm",
        (
            Pinned(
                "有人被困或有生命危险：立即一键转 119，保持在线，记下地点和人数。",
                "People trapped or in danger: hand over to 119 at once, stay on, note the place and how many.",
            ),
            Pinned(
                "道路积水、树木倒伏：登记地点，紧急程度选“紧急”，告知已通知水务和城管。",
                "Flooded road, fallen tree: note the place, mark it urgent, say that water and city management know.",
            ),
            Pinned(
                "停课停工：以教育局和应急管理局发布的通知为准，不作口头承诺。",
                "Schools and work: the notices of the education and emergency bureaus count; promise nothing.",
            ),
        ),
    ),
    Preset(
        "outage",
        Kind.GUIDANCE,
        "部分地区停水停电，正在抢修，恢复时间以供水、供电单位通知为准。",
        "Water and power are cut in some areas. Repairs are under way; the utilities say when supply is back.",
        6,
        "announcement-outage",
        (
            Pinned(
                "先核对地点是否在已知停供范围；在范围内的记为同一事项，不重复派单。",
                "Check first whether the place lies within the known cut; if so it is the same matter, no new order.",
            ),
            Pinned(
                "有透析、呼吸机等用电病人：转 120，并登记紧急工单。",
                "A patient on dialysis or a ventilator: hand over to 120 and write an urgent order.",
            ),
        ),
    ),
    Preset(
        "busy",
        Kind.INFO,
        "当前来电较多，接通可能需要更长时间。",
        "Many people are calling. Your wait may be longer than usual.",
        2,
        "announcement-busy",
    ),
)
