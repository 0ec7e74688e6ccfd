"""Room on the disk: recordings are what is given up first (录音让路), long before a call or a record would be."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from callcenter import metrics
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway, LineState
from dialplan import names

LOOK_EVERY: Final = 5.0
#: Asterisk is told again now and then: a reload of its dialplan forgets.
TELL_EVERY: Final = 60.0
_MORE: Final = 1.2  # so much more than the reserve must be free before recording begins again

log = structlog.get_logger()


def has_room(free: int, reserve: int, had: bool) -> bool:
    """Whether new calls are recorded, with so many bytes free. Not on and off around one figure."""
    return free >= (reserve if had else reserve * _MORE)


async def keep_room(line: Line, disks: Mapping[str, Path], reserve: int) -> None:
    """Tell Asterisk whether new calls are to be recorded, for ever. `reserve`: bytes that recordings leave free."""
    room, told, told_at = True, None, 0.0
    while True:
        free = await asyncio.to_thread(_free, disks)
        room = has_room(free, reserve, room)
        now = asyncio.get_running_loop().time()
        if line.state is not LineState.LIVE:
            told = None
        elif told is not room or now - told_at > TELL_EVERY:
            try:
                await line.act(actions.set_global(names.RECORD, "on" if room else "full"))
            except (LineAway, ActionRefused) as error:
                log.warning("room_not_told", error=str(error))
            else:
                if told is not room:
                    (log.info if room else log.critical)("recording_room", room=room, free_megabytes=free >> 20)
                told, told_at = room, now
        await asyncio.sleep(LOOK_EVERY)


def _free(disks: Mapping[str, Path]) -> int:
    """Free bytes of the fullest disk. A folder that is not there yet will be made in the one above it."""
    least = 2**62
    for name, folder in disks.items():
        usage = shutil.disk_usage(next(each for each in (folder, *folder.absolute().parents) if each.exists()))
        metrics.RECORDING_FREE.labels(name).set(usage.free / usage.total)
        least = min(least, usage.free)
    return least
