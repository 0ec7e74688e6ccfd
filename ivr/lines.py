"""The numbers that may be rung from here (可转接的电话): emergency calls, sub-centres, bureaus' windows.

The dialplan holds exactly these, so a page can name one of them and never a number of its own (reliability.md S5).
Emergencies and sub-centres are those of the directory; the windows' numbers are the demo city's.
"""

from typing import Final, NamedTuple


class Line(NamedTuple):
    """A line: its code in dialplan and ledger, the number dialled, whose it is (a department's code), its names."""

    code: str
    number: str
    department: str
    zh: str
    en: str


#: R17: never captured, never blocked. A number is its own code.
EMERGENCIES: Final[tuple[Line, ...]] = (
    Line("110", "110", "D07", "报警", "Police emergency"),
    Line("119", "119", "D41", "火警", "Fire brigade"),
    Line("120", "120", "D20", "急救", "Ambulance"),
    Line("122", "122", "D08", "交通事故", "Traffic accident"),
)

#: R88: sub-centres that answer for themselves, and service windows (服务窗口).
LINES: Final[tuple[Line, ...]] = (
    Line("tax", "12366", "D35", "税务服务", "Tax"),
    Line("customs", "12360", "D37", "海关", "Customs"),
    Line("post", "12305", "D38", "邮政", "Post"),
    Line("tobacco", "12313", "D40", "烟草", "Tobacco"),
    Line("immigration", "12367", "D07", "移民管理", "Immigration"),
    Line("civil_window", "62001009", "D09", "民政局婚姻登记窗口", "Civil Affairs: marriage registration window"),
    Line("labour_window", "62001012", "D12", "人社局社保窗口", "Labour: social insurance window"),
    Line("housing_fund_window", "62001033", "D33", "公积金中心业务窗口", "Provident fund: service window"),
)

BY_CODE: Final = {line.code: line for line in (*EMERGENCIES, *LINES)}
EMERGENCY_NUMBERS: Final = tuple(line.number for line in EMERGENCIES)
