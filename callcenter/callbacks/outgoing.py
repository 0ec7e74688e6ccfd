"""An agent calls a citizen about a matter at hand (外呼): the caller of a call, or the number of an order.

Never a number of the page's own: the page names the matter, and the ledger knows the number (reliability.md S5). The
call is made as a call back is: on record, linked to the matter, from a seat reserved for it. `ivr/callback.py` says
which numbers are called at all.
"""

from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Problem
from callcenter.callbacks.flow import BY_AGENT, Entry
from callcenter.calls.numbers import blind_index
from callcenter.calls.queries import find_call
from callcenter.calls.routes import no_call, recent_call
from callcenter.clock import now
from callcenter.privacy.queries import identity_of, opened
from callcenter.privacy.seal import SEALER
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.queries import visible_order
from ivr.callback import callable_number


async def of_call(ask: Ask[Any, None, Any], call_id: str) -> Entry:
    """The citizen of a call that one has had. Raises Problem."""
    recent = await recent_call(ask.app, call_id)
    if not (ask.user.may("see_all_calls") or ask.user.login in recent.parties):
        raise no_call()
    call = await _call(ask, call_id)
    return _entry(ask, call, call["number"])


async def of_order(ask: Ask[Any, None, Any], code: str) -> Entry:
    """The citizen of an order that one may see. Raises Problem."""

    async def find(engine: AsyncEngine) -> RowMapping | None:
        async with engine.connect() as connection:
            return await visible_order(connection, code, ask.user)

    order = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if order is None:
        raise Problem(404, "no_order", "没有此工单", "There is no such order")
    if order["anonymous"]:
        raise Problem(409, "anonymous", "匿名诉求不回拨", "Who stays anonymous is not called")
    if order["confidential"] and order["created_by"] != ask.user.login:
        raise Problem(
            403, "confidential", "身份保密的工单只有登记人可以外呼", "Only who wrote a confidential order may call"
        )
    return await _citizen(ask, order)


async def of_visit(ask: Ask[Any, None, Any], order: RowMapping) -> Entry:
    """The citizen of an order that waits for a visit (回访), whoever wrote it, confidential or not. Raises Problem."""
    if order["anonymous"]:
        raise Problem(409, "anonymous", "匿名诉求不回访", "Who stays anonymous is not visited")
    return await _citizen(ask, order)


async def _citizen(ask: Ask[Any, None, Any], order: RowMapping) -> Entry:
    """Whoever an order came from; of a confidential one the number is opened here, and shown to nobody."""

    async def find(engine: AsyncEngine) -> RowMapping | None:
        async with engine.connect() as connection:
            return await identity_of(connection, order["id"])

    call = await _call(ask, order["call_id"])
    number = order["callback_number"]
    if order["confidential"] and (kept := await within(SILENCE_SECONDS, find(ask.app[ENGINE]))) is not None:
        known = opened(ask.app[SEALER], kept)
        number = known["callback_number"] or known.get("caller", "")
    return _entry(ask, call, number or call["number"])


async def _call(ask: Ask[Any, None, Any], call_id: str) -> RowMapping:
    async def find(engine: AsyncEngine) -> RowMapping | None:
        async with engine.connect() as connection:
            return await find_call(connection, call_id)

    call = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if call is None:
        raise no_call()
    return call


def _entry(ask: Ask[Any, None, Any], call: RowMapping, given: str) -> Entry:
    number = callable_number(given)
    if number is None:
        raise Problem(409, "not_callable", "该号码不允许外呼", "This number must not be called from here")
    at, key = now(), ask.app[SETTINGS].number_key.get_secret_value().encode()
    return Entry(
        id=call["id"],
        number=number,
        number_key=blind_index(key, number) or b"",
        caller_key=call["number_key"],
        origin=BY_AGENT,
        service=call["service"],
        queue=call["queue"] or "citizen",
        language=call["language"] or "zh",
        place_at=at,
        asked_at=at,
        updated_at=at,
    )
