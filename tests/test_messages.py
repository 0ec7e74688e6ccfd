"""Supervisors' words and orders to agents: kept until read, told by whom and why, on record."""

import asyncio
from datetime import datetime
from typing import Any

from stack import Desk, Row, Stack


def heard(desk: Desk) -> list[Row]:
    """Messages pushed to this desk."""
    return [message["message"] for message in desk.screen.seen if message["type"] == "message"]


async def until_heard(desk: Desk, count: int, timeout: float = 1.0) -> list[Row]:
    await desk.screen.until(lambda _: len(heard(desk)) >= count, timeout)
    return heard(desk)


async def unread(desk: Desk) -> list[str]:
    answer = await desk.ask("GET", "/messages", status=200)
    return [each["text"] for each in answer["items"] if each["read_at"] is None]


async def send(boss: Desk, to_kind: str, to_what: str | None, text: str, **more: Any) -> str:
    body = {"to_kind": to_kind, "to_what": to_what, "text": text} | more
    answer = await boss.ask("POST", "/messages", body, status=201)
    return str(answer["id"])


async def read_all(*desks: Desk) -> None:
    for desk in desks:
        for each in (await desk.ask("GET", "/messages", status=200))["items"]:
            await desk.ask("POST", f"/messages/{each['id']}/read", status=204)


async def test_a_message_is_pushed_kept_until_read_and_its_sender_sees_who_has(stack: Stack) -> None:
    boss, li = await stack.desk("sunli"), await (await stack.desk("limei")).sit("1001")
    wang = await stack.desk("wangqiang")
    await read_all(li, wang, boss)
    key = await send(boss, "person", "limei", "请提醒市民\n注意防汛", urgent=True)
    (told,) = await until_heard(li, 1)
    assert (told["text"], told["urgent"], told["sender_zh"], told["read_at"]) == (
        "请提醒市民\n注意防汛",
        True,
        "孙丽",
        None,
    )
    assert heard(wang) == []
    assert await unread(li) == ["请提醒市民\n注意防汛"], "a desk that comes later finds it too"
    await wang.ask("POST", f"/messages/{key}/read", status=404)
    first = (await boss.ask("GET", "/messages/sent", status=200))["items"][0]
    assert (first["message"]["id"], first["read"], first["unread"]) == (key, [], ["limei"])
    await li.ask("POST", f"/messages/{key}/read", status=204)
    await boss.screen.until(lambda _: {"type": "receipt", "id": key, "login": "limei"} in boss.screen.seen)
    assert await unread(li) == []
    (row,) = (await li.ask("GET", "/messages", status=200))["items"][:1]
    was = datetime.fromisoformat(row["read_at"])
    await li.ask("POST", f"/messages/{key}/read", status=204)
    (row,) = (await li.ask("GET", "/messages", status=200))["items"][:1]
    assert datetime.fromisoformat(row["read_at"]) == was, "the first reading counts"


async def test_all_and_those_of_a_queue(stack: Stack) -> None:
    boss, wang = await stack.desk("sunli"), await stack.desk("wangqiang")
    li = await (await stack.desk("limei")).sit("1001")
    await read_all(li, wang, boss)
    await send(boss, "queue", "english", "for those of the queue")
    await send(boss, "all", None, "for all")
    assert [each["text"] for each in await until_heard(li, 2)] == ["for those of the queue", "for all"]
    assert [each["text"] for each in await until_heard(wang, 1)] == ["for all"], "who sits nowhere is in no queue"
    assert await unread(boss) == [], "not to oneself"
    await read_all(li, wang)
    await boss.ask("POST", "/messages", {"to_kind": "queue", "to_what": "nowhere", "text": "x"}, status=409)
    await boss.ask("POST", "/messages", {"to_kind": "person", "to_what": "nobody", "text": "x"}, status=404)
    await boss.ask("POST", "/messages", {"to_kind": "all", "text": " \n "}, status=422)
    await li.ask("POST", "/messages", {"to_kind": "all", "text": "x"}, status=403)
    await li.ask("GET", "/messages/sent", status=403)


async def test_a_seat_is_sent_on_a_break_to_work_and_home_and_told_why(stack: Stack) -> None:
    boss, li = await stack.desk("sunli"), await (await stack.desk("limei")).sit("1001")
    await read_all(li)
    force = "/seats/1001/force"
    await boss.ask("POST", force, {"act": "break", "reason": "开会", "code": "NAP"}, status=409)
    await boss.ask("POST", force, {"act": "break", "reason": "三楼开会", "code": "MEETING"})
    assert (await li.state("break"))["reason"] == "MEETING"
    (told,) = await until_heard(li, 1)
    assert (told["kind"], told["text"], told["sender_zh"]) == ("break", "三楼开会", "孙丽")
    await boss.ask("POST", force, {"act": "ready", "reason": "来电激增"})
    await li.state("ready")
    await li.ask("POST", force, {"act": "log_out", "reason": "x"}, status=403)
    citizen = await stack.trunk.call(stack.number(), key="1")
    await li.state("talking")
    await boss.ask("POST", force, {"act": "log_out", "reason": "班次结束"})
    await asyncio.sleep(0.5)
    assert li.screen.view["seat"]["state"] == "talking", "a talk that goes on is not cut"
    await citizen.hang_up()
    await li.state("offline")
    assert [each["kind"] for each in await until_heard(li, 3)] == ["break", "ready", "log_out"]
    await boss.ask("POST", force, {"act": "ready", "reason": "x"}, status=409)
    acts = await stack.rows("SELECT what FROM audit WHERE act = 'force_seat' ORDER BY id DESC LIMIT 3")
    assert all('"reason"' in row["what"] and '"limei"' in row["what"] for row in acts)
    assert (await stack.record(citizen.number))["seat"] == "1001"
    await read_all(li)
