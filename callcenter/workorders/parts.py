"""A matter taken out of an order (拆单): it becomes an order of its own, of the same call and the same citizen.

It begins where orders of the desk begin, with its own code, check code, clocks and notices. What somebody said in
confidence stays so: its part is confidential too, and its citizen sealed once more under the part's id.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.directory.city import LEAVES
from callcenter.privacy.queries import identity_of, opened, write_identities
from callcenter.privacy.seal import Sealer
from callcenter.workorders.order import State
from callcenter.workorders.policies import Policies
from callcenter.workorders.writers import order_writer

#: What a part has of its order.
_OF_ORDER = (
    "call_id",
    "contact_name",
    "callback_number",
    "callback_key",
    "anonymous",
    "complained_person",
    "complained_units",
    "language",
    "lat",
    "lon",
)
_CALLER = ("caller", "caller_name")


async def split_off(
    connection: AsyncConnection,
    policies: Policies,
    sealer: Sealer,
    order: RowMapping,
    given: Mapping[str, Any],
    login: str,
    at: datetime,
) -> UUID:
    """Write the part, within the transaction of the event that splits it off; its id.

    Args:
        order: the row as it was seen.
        given: what was given with the event: kind, urgency, category, subject, description, perhaps place and region.

    Raises CannotOpen when the citizen's identity cannot be read.
    """
    leaf, part = LEAVES[given["category"]], uuid4()
    secret = order["confidential"] or given["kind"] == "report" or "S" in leaf.flags.split()
    row = {name: order[name] for name in _OF_ORDER} | {
        "id": part,
        "state": State.PENDING_DISPATCH.value,
        "event": "submit_certain",
        "kind": given["kind"],
        "category": given["category"],
        "urgency": given["urgency"],
        "subject": given["subject"],
        "description": given["description"],
        "place": given.get("place") or order["place"],
        "region": given.get("region") or order["region"],
        "confidential": secret and not order["anonymous"],
        "department": leaf.lead,
        "created_by": login,
        "created_at": at,
        "given": {"split_from": order["code"]},
    }
    about = await _identity(connection, sealer, order) if row["confidential"] else None
    if about is not None:
        row |= {"contact_name": "", "callback_number": "", "callback_key": None}
    await order_writer(policies)(connection, [row])
    if about is not None:
        await write_identities(connection, [_sealed(sealer, part, order["call_id"], about)])
    return part


async def _identity(connection: AsyncConnection, sealer: Sealer, order: RowMapping) -> dict[str, Any]:
    """Who an order came from, opened."""
    row = await identity_of(connection, order["id"])
    if row is None:
        return {name: order[name] for name in ("contact_name", "callback_number", "callback_key")}
    return opened(sealer, row) | {name: row[name] for name in ("callback_key", "hidden_at")}


def _sealed(sealer: Sealer, part: UUID, call_id: str, about: Mapping[str, Any]) -> dict[str, Any]:
    person = sealer.seal(str(part), {name: about[name] for name in ("contact_name", "callback_number")})
    caller = {name: about[name] for name in _CALLER if name in about}
    return {
        "order_id": part,
        "call_id": call_id,
        "key_id": person.key_id,
        "sealed": person.data,
        "caller": sealer.seal(str(part), caller).data if caller else None,
        "callback_key": about["callback_key"],
        "hidden_at": about.get("hidden_at"),
    }
