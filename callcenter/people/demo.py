"""The demo city's people (演示账号): made once, in an empty database, with passwords that demo.json tells."""

import asyncio
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.experts.queries import put_expert
from callcenter.people import queries
from callcenter.people.passwords import Passwords, generated
from callcenter.people.seats import seat_secret
from callcenter.settings import Settings
from callcenter.standalone.private import write


class DemoPerson(NamedTuple):
    login: str
    role: str
    name_zh: str
    name_en: str
    unit: str | None = None


PEOPLE: Final = (
    DemoPerson("limei", "operator", "李梅", "Li Mei"),
    DemoPerson("wangqiang", "operator", "王强", "Wang Qiang"),
    DemoPerson("chenjing", "operator", "陈静", "Chen Jing"),
    DemoPerson("zhaolei", "operator", "赵磊", "Zhao Lei"),
    DemoPerson("wumin", "inspector", "吴敏", "Wu Min"),
    DemoPerson("qianwen", "expert", "钱文", "Qian Wen"),
    DemoPerson("sunli", "supervisor", "孙丽", "Sun Li"),
    DemoPerson("zhoukai", "admin", "周凯", "Zhou Kai"),
    DemoPerson("zhengyu", "support", "郑宇", "Zheng Yu"),
    DemoPerson("fangli", "dispatcher", "方丽", "Fang Li"),
    DemoPerson("hexin", "follow_up", "何欣", "He Xin"),
    DemoPerson("linxia", "visitor", "林霞", "Lin Xia"),
    DemoPerson("guoping", "coordinator", "郭平", "Guo Ping"),
    DemoPerson("maowei", "liaison", "毛伟", "Mao Wei", "D29"),
    DemoPerson("tangjun", "handler", "唐军", "Tang Jun", "D29"),
    DemoPerson("xiejie", "unit_leader", "谢杰", "Xie Jie", "D29"),
    DemoPerson("suyan", "privacy", "苏燕", "Su Yan"),
    DemoPerson("luoyi", "privacy", "罗毅", "Luo Yi"),
    DemoPerson("jiangbo", "auditor", "江波", "Jiang Bo"),
    DemoPerson("shenqi", "operator_ent", "沈琪", "Shen Qi"),
    DemoPerson("dengtao", "street", "邓涛", "Deng Tao", "R0101"),
    DemoPerson("panyue", "assessor", "潘悦", "Pan Yue"),
    DemoPerson("caohui", "assessor", "曹辉", "Cao Hui"),
    DemoPerson("fengjun", "oversight", "冯军", "Feng Jun"),
    DemoPerson("yanhong", "leader", "严红", "Yan Hong"),
)
#: The demo's expert is on duty whenever somebody tries it.
ROUND_THE_CLOCK: Final = ({"on": "every_day", "start": "00:00", "end": "24:00"},)
SEATS: Final = tuple(str(number) for number in range(1001, 1009))


class DemoAccount(BaseModel):
    login: str
    password: str
    role: str
    name: str


class DemoSeat(BaseModel):
    number: str
    secret: str


class DemoFile(BaseModel):
    """demo.json, which `callcenter up` and the tests read."""

    model_config = ConfigDict(extra="forbid")

    accounts: list[DemoAccount] = []
    seats: list[DemoSeat] = []


async def load_demo(engine: AsyncEngine, settings: Settings, passwords: Passwords) -> None:
    """Make the accounts and seats when there are none at all, and write demo.json. What is there is kept.

    The file is written before the accounts: were it the other way about, a start that was cut off would leave accounts
    whose passwords nobody knows.
    """
    file = settings.home / "demo.json"
    told = {account.login: account for account in _read(file).accounts}
    hashes: list[str] = []
    async with engine.connect() as connection:
        empty = not await queries.all_users(connection)
    if empty:
        told = {
            person.login: told.get(person.login)
            or DemoAccount(
                login=person.login,
                password=generated(),
                role=person.role,
                name=f"{person.name_zh} {person.name_en}",
            )
            for person in PEOPLE
        }
        _write(file, DemoFile(accounts=list(told.values())))
        # Seconds on a busy machine: not in a transaction, which Postgres ends when it is idle for long.
        hashes = await asyncio.gather(*(passwords.hashed(told[person.login].password) for person in PEOPLE))
    async with engine.begin() as connection:
        if empty and not await queries.all_users(connection):
            for person, password_hash in zip(PEOPLE, hashes, strict=True):
                account = {
                    "login": person.login,
                    "name_zh": person.name_zh,
                    "name_en": person.name_en,
                    "roles": [person.role],
                    "password_hash": password_hash,
                    "unit": person.unit,
                }
                await queries.add_user(connection, account)
            for person in PEOPLE:
                if person.role == "expert":
                    await put_expert(connection, person.login, (), ROUND_THE_CLOCK)
        if not await queries.all_seats(connection):
            for number in SEATS:
                await queries.add_seat(connection, number)
        key = settings.seat_key.get_secret_value()
        seats = [
            DemoSeat(number=row.number, secret=seat_secret(key, row.number, row.secret_version))
            for row in await queries.all_seats(connection)
            if row.active
        ]
        _write(file, DemoFile(accounts=list(told.values()), seats=seats))


def _read(file: Path) -> DemoFile:
    return DemoFile.model_validate_json(file.read_bytes()) if file.exists() else DemoFile()


def _write(file: Path, content: DemoFile) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(file, content.model_dump_json(indent=1))
