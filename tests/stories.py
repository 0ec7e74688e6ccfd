"""The recorded stories, and their way through the code: bytes -> frames -> facts -> changes -> a floor."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exchange import NODE, SYSTEM_NAME

from callcenter.asterisk.facts import Fact, Reader, Snapshot
from callcenter.asterisk.files import SureFiles
from callcenter.asterisk.frames import Authentic, Splitter
from callcenter.floor.changes import CallEnded, Change
from callcenter.floor.model import Call, Floor
from callcenter.floor.resync import reconcile
from callcenter.floor.step import step
from callcenter.floor.view import rows
from dialplan import names

RECORDINGS = Path(__file__).parent / "recordings"
STORIES = sorted(file.stem for file in RECORDINGS.glob("*.ami") if not file.stem.endswith("unfiltered"))
READER = Reader(NODE, SYSTEM_NAME)
AUTHENTIC = Authentic(SYSTEM_NAME)


def traffic(story: str) -> bytes:
    return (RECORDINGS / f"{story}.ami").read_bytes()


def new_floor(wrap_up: float = 60) -> Floor:
    return Floor(NODE, datetime.fromtimestamp(0, UTC), timedelta(seconds=wrap_up))


def facts_of(chunks: Iterable[bytes]) -> list[Fact]:
    """The facts in the stream, however it is cut."""
    splitter = Splitter()
    events = (AUTHENTIC.event(frame) for chunk in chunks for frame in splitter.feed(chunk))
    return [fact for event in events if event is not None and (fact := READER.fact(event)) is not None]


def take_in(floor: Floor, fact: Fact | Snapshot) -> list[Change]:
    """A fact, or a snapshot behind which no event is held back and of which the files know nothing."""
    return list(reconcile(floor, fact, {}, frozenset())) if isinstance(fact, Snapshot) else step(floor, fact)


@dataclass
class Told:
    """What a floor made of the facts. `ended` are the calls as they were when they ended."""

    floor: Floor = field(default_factory=new_floor)
    changes: list[Change] = field(default_factory=list)

    def tell(self, *facts: Fact | Snapshot) -> list[Change]:
        now = [change for fact in facts for change in take_in(self.floor, fact)]
        self.changes += now
        return now

    @property
    def names(self) -> list[str]:
        return [type(change).__name__ for change in self.changes]

    @property
    def ended(self) -> dict[str, Call]:
        return {change.call.id: change.call for change in self.changes if isinstance(change, CallEnded)}

    @property
    def rows(self) -> dict[str, object]:
        return dict(rows(self.floor, {}))


def told(facts: Iterable[Fact]) -> Told:
    """A new floor that has taken in these facts."""
    result = Told()
    result.tell(*facts)
    return result


@dataclass
class Disk:
    """A folder that Asterisk's two files grow in, as if Asterisk wrote there."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "cel-custom").mkdir(parents=True, exist_ok=True)

    @property
    def cel(self) -> Path:
        return self.folder / "cel-custom" / names.CEL_FILE

    @property
    def queue_log(self) -> Path:
        return self.folder / names.QUEUE_LOG

    def files(self) -> SureFiles:
        return SureFiles(self.folder, READER, [])


def cel_lines(story: str) -> list[bytes]:
    return (RECORDINGS / f"{story}.cel.json").read_bytes().splitlines(keepends=True)


def queue_log_lines(story: str) -> list[bytes]:
    return (RECORDINGS / f"{story}.queue_log").read_bytes().splitlines(keepends=True)
