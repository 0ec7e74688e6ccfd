"""How entries of the list and texts are written, from memory or from the journal: twice is once.

The number is sealed on its way: the order that comes of it may be confidential, and nobody looks one up in here.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.callbacks.flow import Entry
from callcenter.calls.rows import Record, Row
from callcenter.privacy.seal import Sealer
from callcenter.store.tables import callbacks, texts

_ENTRY: Final = insert(callbacks)
_KEEP_ENTRY: Final = _ENTRY.on_conflict_do_update(
    index_elements=[callbacks.c.id],
    set_={
        column.name: _ENTRY.excluded[column.name] for column in callbacks.columns if column.name not in {"id", "node"}
    },
    where=callbacks.c.version < _ENTRY.excluded.version,
)
_KEEP_TEXT: Final = insert(texts).on_conflict_do_nothing(index_elements=[texts.c.id])


def entry_record(entry: Entry, node: str, sealer: Sealer) -> Record:
    """An entry on its way to the table."""
    row = {name: getattr(entry, name) for name in Entry.__slots__}
    row |= {"state": entry.state.value, "node": node, "number": sealer.seal_text(entry.id, entry.number)}
    return Record("callbacks", row)


def text_record(entry: Entry, text: str, sealer: Sealer) -> Record:
    """The one text to the citizen of this entry."""
    row = {"id": entry.id, "number": sealer.seal_text(entry.id, entry.number), "text": text}
    return Record("texts", row | {"created_at": entry.asked_at, "next_at": entry.asked_at})


async def write_callbacks(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of `callbacks`; a newer version stays."""
    await connection.execute(_KEEP_ENTRY, rows)


async def write_texts(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of `texts`; what is there stays, sent or not."""
    await connection.execute(_KEEP_TEXT, rows)
