"""`callcenter privacy reseal`: identities and numbers that an older key has sealed are sealed by the newest one."""

from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.privacy import queries
from callcenter.privacy.seal import CannotOpen, sealer_of
from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.command import ask_database

AT_ONCE = 500


def reseal(settings: Settings) -> int:
    """Seal all with the newest key; how many there were. Raises CannotStart."""
    sealer = sealer_of(settings)

    async def run(engine: AsyncEngine) -> int:
        total = 0
        try:
            while True:
                async with engine.begin() as connection:
                    done = await queries.reseal(connection, sealer, AT_ONCE)
                total += done
                if done < AT_ONCE:
                    return total
        except CannotOpen as error:
            raise CannotStart(f"CALLCENTER_IDENTITY_KEY: {error}; {total} were resealed before") from error

    return ask_database(settings, "privacy", run)
