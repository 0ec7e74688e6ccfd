"""What is told when all is ready: to programs in the ready file, to people on one screen."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from callcenter.standalone import CannotStart


class DemoAccount(BaseModel):
    """A person who may log in to the demo city."""

    login: str
    password: str
    role: str


class DemoSeat(BaseModel):
    """A seat (座席) of the demo city: its number is the SIP account of a desk phone."""

    number: str
    secret: str


class Demo(BaseModel):
    """demo.json, which the service writes when it loads the demo city."""

    accounts: list[DemoAccount] = []
    seats: list[DemoSeat] = []

    @classmethod
    def read(cls, home: Path) -> Self:
        """Raises CannotStart when the file is damaged. A missing one is an empty city."""
        file = home / "demo.json"
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise CannotStart(
                f"{file} is damaged ({error.error_count()} faults): delete it and the demo's home"
            ) from error


class Ready(BaseModel):
    """The ready file: how to reach everything. It is there from the moment all answers until the stop begins."""

    http: str
    sip: str
    sip_ws: str
    ami: str
    postgres: str
    demo_accounts: list[DemoAccount]
    demo_seats: list[DemoSeat]
    pids: dict[str, int]


def welcome(ready: Ready, home: Path) -> str:
    """One screen for the person at the keyboard, Chinese first."""
    state = home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
    lines = [
        "",
        "12345 已就绪 · 12345 is ready",
        "",
        f"  坐席桌面 Desk       {ready.http}/desk",
        f"  大屏     Wallboard  {ready.http}/wallboard",
    ]
    if ready.demo_accounts:
        lines.insert(3, f"  试打     Call it    {ready.http}/try")
    lines += [f"  中继     SIP trunk  {ready.sip}   (拨 12345 / call 12345)", ""]
    if ready.demo_accounts:
        lines.append("  演示账号 Demo accounts")
        lines += [f"    {each.login:<14} {each.password:<22} {each.role}" for each in ready.demo_accounts]
        lines += [
            "",
            "  试一试：在 /desk 登录并示闲，再用另一个标签页打开 /try 拨打 12345。",
            "  Try: log in at /desk, become ready, then call 12345 from /try in a second tab.",
            f"  话机座席号与密码 Numbers and secrets of desk phones: {state}/demo.json",
            "",
        ]
    lines.append(f"  数据与日志 State and logs: {state}    停止 Stop: Ctrl-C")
    return "\n".join(lines)
