"""`callcenter audit verify`: walk the whole chain; exit code 1 when something does not fit."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.audit import queries
from callcenter.audit.flow import Broken, Head, Walk
from callcenter.audit.seal import HEADS, told_heads
from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.command import ask_database

HOW = {
    "changed": "changed 被篡改",
    "missing": "missing 缺失",
    "unsealed": "not in the chain 未入链",
    "replaced": "another row stood here when the head was told 已被替换",
    "cut_off": "the chain was longer when its head was told 尾部被截断",
}


def verify(settings: Settings, heads: Path | None) -> int:
    """Print how many rows the chain has, its head, and the first row that does not fit; the exit code.

    Args:
        heads: a copy of the file of heads; None for the one below home.

    Raises CannotStart when Postgres is away, or the file cannot be read.
    """
    file = heads or settings.home / HEADS
    if heads is not None and not heads.exists():
        raise CannotStart(f"no such file: {heads}")
    try:
        told = [head for _, head in told_heads(file)]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotStart(f"{file} holds no heads: {type(error).__name__}") from error
    walk, broken = ask_database(settings, "audit", lambda engine: _walk(engine, told))
    print(f"{walk.n} rows 行 · head 链首 {walk.head.hex()} · {len(told)} heads told before 已存证")
    if broken is None:
        print("whole 完整")
        return 0
    which = f", audit row 审计行 {broken.audit_id}" if broken.audit_id is not None else ""
    print(f"broken at 断于 {broken.n}{which}: {HOW[broken.how]}")
    return 1


async def _walk(engine: AsyncEngine, told: Iterable[Head]) -> tuple[Walk, Broken | None]:
    walk = Walk(told)
    async with engine.connect() as connection:
        async for links in queries.links(connection):
            if broken := walk.take(links):
                return walk, broken
        return walk, walk.end() or await queries.outside(connection)
