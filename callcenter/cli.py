"""The command `callcenter`."""

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from callcenter.settings import Settings
from callcenter.standalone import CannotStart

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

user = typer.Typer(no_args_is_help=True, help="Accounts (账号).")
seat = typer.Typer(no_args_is_help=True, help="Seats (座席).")
privacy = typer.Typer(no_args_is_help=True, help="Who confidential orders came from (保密诉求人).")
audit = typer.Typer(no_args_is_help=True, help="The audit log (审计日志).")
app.add_typer(user, name="user")
app.add_typer(seat, name="seat")
app.add_typer(audit, name="audit")
app.add_typer(privacy, name="privacy")

Home = Annotated[Path | None, typer.Option(help="folder of all state (CALLCENTER_HOME)")]


@app.command()
def up(
    home: Home = None,
    port: Annotated[int | None, typer.Option(help="HTTP port (CALLCENTER_PORT); unset: a free one")] = None,
    sip_port: Annotated[int | None, typer.Option(help="SIP port (CALLCENTER_SIP_PORT); unset: a free one")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="gets JSON when all is ready")] = None,
    demo: Annotated[bool | None, typer.Option(help="the demo city (CALLCENTER_DEMO); unset: yes")] = None,
    with_parent: Annotated[bool, typer.Option(help="stop when the process that started this one ends")] = False,
) -> None:
    """Start Postgres, Asterisk and the service, and watch them until Ctrl-C."""
    from callcenter.standalone.processes import stop_with_parent
    from callcenter.standalone.up import up as run

    with _one_line():
        if with_parent:
            stop_with_parent()
        settings = _settings(home=home, port=port, sip_port=sip_port, demo=demo)
        if "demo" not in settings.model_fields_set:
            # Whoever starts everything by one command wants to see it; a real city says --no-demo.
            settings = settings.model_copy(update={"demo": True})
        run(settings, ready_file)


@app.command()
def serve() -> None:
    """Run the service alone; Postgres and Asterisk are found by the settings."""
    # Nothing of what is imported is garbage; looking for it takes a sixth of a start.
    gc.disable()
    from callcenter.app import main

    gc.freeze()
    gc.enable()
    with _one_line():
        main(_settings())


@app.command()
def asterisk(home: Home = None) -> None:
    """Run Asterisk alone with 12345's configuration, and let it read new seats."""
    from callcenter.standalone.up import asterisk_alone

    with _one_line():
        asterisk_alone(_settings(home=home))


@app.command()
def openapi() -> None:
    """Print the description of the API, from which the pages' types are made."""
    from callcenter.app import ROOMS
    from callcenter.openapi import describe

    print(json.dumps(describe(route for room in ROOMS for route in room.declared), ensure_ascii=False, indent=1))


@app.command()
def reconcile(
    home: Home = None,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="only calls of this day")] = None,
) -> None:
    """Compare the ledger with Asterisk's files; exit code 1 when a call is not explained."""
    from callcenter.calls.cli import reconcile as run
    from callcenter.standalone.home import beside

    with _one_line():
        raise SystemExit(run(beside(_settings(home=home)), day))


@app.command("demo-history")
def demo_history(
    home: Home = None,
    days: Annotated[int, typer.Option(min=7, max=120, help="how many days before today")] = 70,
    remove: Annotated[bool, typer.Option("--remove", help="take them away again")] = False,
) -> None:
    """Make up arrivals of the past for the demo's staffing page; they are marked, and the ledger is not touched."""
    from callcenter.staffing.cli import load
    from callcenter.standalone.home import beside

    with _one_line():
        print(load(beside(_settings(home=home)), days, remove=remove))


@app.command()
def simulate(
    real: Annotated[
        bool, typer.Option("--real", help="real calls through an Asterisk of its own, in real time")
    ] = False,
    calls: Annotated[float, typer.Option(min=1, max=100_000, help="calls an hour; with --days, calls a day")] = 600,
    agents: Annotated[int, typer.Option(min=1, max=5_000, help="people on duty; with --days: as Erlang C wants")] = 43,
    hours: Annotated[float, typer.Option(min=0.1, max=1_000, help="how long, without --real")] = 24,
    days: Annotated[int, typer.Option(min=0, max=366, help="whole days with their profile, without --real")] = 0,
    goal: Annotated[float, typer.Option(min=0.1, max=0.99, help="share in 15 s for which --days plans people")] = 0.9,
    runs: Annotated[int, typer.Option(min=1, max=100, help="how often, each time with other callers")] = 10,
    minutes: Annotated[float, typer.Option(min=0.5, max=480, help="how long, with --real")] = 3,
    compressed: Annotated[
        float, typer.Option(min=1, max=30, help="with --real: times so much shorter, so many times more calls")
    ] = 1,
    talk: Annotated[float, typer.Option(min=1, help="mean talk in seconds")] = 150,
    wrap_up: Annotated[float, typer.Option(min=0, help="mean wrap-up in seconds")] = 60,
    patience: Annotated[float, typer.Option(min=0, help="mean patience in seconds; 0: endless")] = 120,
    redial: Annotated[float, typer.Option(min=0, max=1, help="share of those who hung up that calls again")] = 0.3,
    ring: Annotated[float, typer.Option(min=0, max=9, help="seconds that a phone rings")] = 0.5,
    missed: Annotated[float, typer.Option(min=0, max=0.9, help="share of rings missed, without --real")] = 0,
    seed: Annotated[int, typer.Option(help="the same seed draws the same callers")] = 1,
    house: Annotated[
        str, typer.Option(help="a file of services and people with their skills, or demo, in place of one pool")
    ] = "",
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%H:%M"], help="with --real: where in a day's profile the run begins; --calls are then a day's"
        ),
    ] = None,
    key: Annotated[
        int, typer.Option(min=0, max=2, help="with --real: a key that all press, to hear no greeting; 0: none")
    ] = 0,
) -> None:
    """Try the rules on drawn callers, and print the 15 seconds beside those of an ideal pool on the same calls."""
    from callcenter.simulate.cli import Wanted
    from callcenter.simulate.cli import simulate as run

    with _one_line():
        run(
            Wanted(
                real=real,
                calls=calls,
                agents=agents,
                hours=hours,
                days=days,
                goal=goal,
                runs=runs,
                minutes=minutes,
                compressed=compressed,
                talk=talk,
                wrap_up=wrap_up,
                patience=patience,
                redial=redial,
                ring=ring,
                missed=missed,
                seed=seed,
                house=house,
                start=None if start is None else 3600.0 * start.hour + 60.0 * start.minute,
                key=str(key or ""),
            )
        )


@app.command()
def fetch() -> None:
    """Fetch what a first start needs from the network: Asterisk, when this machine has none."""
    from callcenter.standalone.asterisk import fetch as run

    with _one_line():
        copy = run(_settings())
        print(f"Asterisk {'.'.join(map(str, copy.version))}: {copy.program}")


@user.command("add")
def add_user(
    login: str,
    role: Annotated[list[str], typer.Option(help="operator, supervisor or admin; may be given more than once")],
    name_zh: Annotated[str, typer.Option(help="name in Chinese; unset: the login")] = "",
    name_en: Annotated[str, typer.Option(help="name in English; unset: the login")] = "",
    home: Home = None,
) -> None:
    """Make an account. Its password is asked for; an empty one is generated and shown."""
    from callcenter.people.cli import add_user as run
    from callcenter.standalone.home import beside

    with _one_line():
        run(beside(_settings(home=home)), login, role, name_zh, name_en)


@user.command("close")
def close_user(login: str, home: Home = None) -> None:
    """Close an account and end its sessions."""
    from callcenter.people.cli import close_user as run
    from callcenter.standalone.home import beside

    with _one_line():
        run(beside(_settings(home=home)), login)


@seat.command("add")
def add_seat(number: str, home: Home = None) -> None:
    """Make a seat."""
    from callcenter.people.cli import add_seat as run
    from callcenter.standalone.home import beside

    with _one_line():
        run(beside(_settings(home=home)), number)


@audit.command("verify")
def verify_audit(
    home: Home = None,
    heads: Annotated[
        Path | None, typer.Option(help="a copy of audit-heads.jsonl, kept apart; unset: that below home")
    ] = None,
) -> None:
    """Walk the chain over the audit; exit code 1 when a row was changed, deleted or cut off."""
    from callcenter.audit.cli import verify
    from callcenter.standalone.home import beside

    with _one_line():
        raise SystemExit(verify(beside(_settings(home=home)), heads))


@privacy.command("reseal")
def reseal_identities(home: Home = None) -> None:
    """Seal what an older key has sealed with the newest one of CALLCENTER_IDENTITY_KEY."""
    from callcenter.privacy.cli import reseal
    from callcenter.standalone.home import beside

    with _one_line():
        print(f"{reseal(beside(_settings(home=home)))} resealed")


def _settings(**given: Any) -> Settings:
    """The environment's settings, and over them what the command line gives."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def _one_line() -> Iterator[None]:
    """What went wrong, as one line for a person; exit code 2, and 1 for what no setting mends."""
    try:
        yield
    except CannotStart as error:
        _leave(str(error), 2)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = "_".join(["CALLCENTER", *map(str, wrong["loc"])]).upper()
        _leave(f"{name}: {wrong['msg']} (given: {str(wrong['input'])[:80]})", 2)
    except OSError as error:
        _leave(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''} (CALLCENTER_HOME)", 1)


def _leave(line: str, code: int) -> None:
    print(f"callcenter: {line}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    app()
