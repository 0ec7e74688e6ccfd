"""Files of orders: what they are by content, what is left of them, who may read them, and what is refused."""

import asyncio
import io
import os
import struct
import uuid
import wave
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Postgres
from office import Browser, Office, open_office, settings_for
from PIL import Image, PngImagePlugin
from pydantic import SecretStr
from sqlalchemy import select, update
from test_order_api import act
from test_orders_desk import login_of, order, ring

from callcenter.attachments.flow import TYPES, Refused, cleaned, name_of, type_of
from callcenter.attachments.routes import FILES_VAULT
from callcenter.attachments.sizes import bytes_of
from callcenter.attachments.tidy import FOLDERS, sweep, tidy
from callcenter.clock import now
from callcenter.store import tables

PIXELS = 10**6
FILES = Path(__file__).parent / "files"
#: What no file may carry out: where the photo was taken, whose it is.
SECRET = b"Zhang San 22.5431N"


def photo(form: str, size: tuple[int, int] = (64, 48), **more: Any) -> bytes:
    """A photo with all that a camera or a program may note in it."""
    image = Image.effect_noise(size, 40).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()  # ImageDescription
    exif[0x0112] = 6  # Orientation: to be turned
    exif.get_ifd(0x8825)[0x1D] = SECRET.decode()  # GPSDateStamp
    out = io.BytesIO()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", SECRET.decode(), zip=False)
    extra: dict[str, Any] = {"JPEG": {"comment": SECRET}, "PNG": {"pnginfo": notes}, "WEBP": {}}[form]
    image.save(out, form, exif=exif, icc_profile=SECRET * 8, **extra, **more)
    return out.getvalue()


def sound(seconds: float = 0.2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x01\x02" * int(8000 * seconds))
    return out.getvalue()


def noted(raw: bytes) -> bytes:
    """A wave with a note before its samples and one behind, and the size in its head made right."""
    note = b"LIST" + struct.pack("<I", len(SECRET)) + SECRET
    whole = raw[12:36] + note + raw[36:] + note
    return b"RIFF" + struct.pack("<I", 4 + len(whole)) + b"WAVE" + whole


#: 128 kbit/s, 44.1 kHz, MPEG-1 layer III: a frame of silence.
FRAME = b"\xff\xfb\x90\x64" + bytes(413)
ID3 = b"ID3\x04\x00\x00\x00\x00\x00" + bytes([len(SECRET)]) + SECRET
MP3 = ID3 + FRAME * 40 + b"TAG" + SECRET.ljust(125, b"\0")
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\nxref\n0 4\ntrailer<</Root 1 0 R/Size 4>>\n"
    b"startxref\n9\n%%EOF\n"
)
ZIP = b"PK\x03\x04" + bytes(400) + b"PK\x05\x06" + bytes(18)
HTML = b"<html><script>alert(1)</script></html>"


def clean(raw: bytes, pixels: int = PIXELS) -> bytes:
    return cleaned(raw, type_of(raw), pixels=pixels)


# --- by content -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_tells_nothing_but_what_it_shows(form: str) -> None:
    raw = photo(form)
    assert SECRET in raw
    bare = clean(raw)
    assert SECRET not in bare and b"Exif" not in bare and b"ICC" not in bare
    with Image.open(io.BytesIO(bare)) as image:
        assert (image.format, dict(image.getexif())) == (form, {})
        assert set(image.info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "loop",
            "background",
            "timestamp",
        }
        assert image.size == (48, 64), "turned as the camera was held, for that note is gone too"


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(clean(out.getvalue()))) as image:
        assert image.mode == "RGBA" and image.getpixel((0, 0)) == (255, 0, 0, 0)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("tail", [ZIP, HTML, PDF], ids=["zip", "html", "pdf"])
def test_what_is_hung_on_a_photo_falls_off(form: str, tail: bytes) -> None:
    assert tail not in clean(photo(form) + tail)


def test_of_a_voice_the_sound_alone_is_kept() -> None:
    raw = noted(sound()) + HTML
    bare = clean(raw)
    assert SECRET not in bare and HTML not in bare
    assert bare == sound()
    assert clean(MP3) == FRAME * 40
    ogg = (FILES / "voice.ogg").read_bytes()
    assert b"SoX" in ogg
    bare = clean(ogg + ZIP)
    assert b"SoX" not in bare and ZIP not in bare and len(bare) == len(ogg)
    assert clean(bare).count(b"OggS") == ogg.count(b"OggS"), "the sums of its pages are right"
    m4a = (FILES / "voice.m4a").read_bytes()
    note = struct.pack(">I4s", 8 + len(SECRET), b"udta") + SECRET
    at = m4a.index(b"moov") - 4
    size = struct.unpack_from(">I", m4a, at)[0]
    whole = m4a[:at] + struct.pack(">I", size + len(note)) + m4a[at + 4 : at + size] + note + m4a[at + size :]
    bare = clean(whole)
    assert SECRET not in bare and len(bare) == len(whole), "the tables of its track count bytes from the beginning"
    assert b"SoundHandler" not in bare and bare[bare.index(b"moof") :] == m4a[m4a.index(b"moof") :]


def test_a_document_ends_where_it_says() -> None:
    assert clean(PDF + ZIP) == PDF
    packed = zlib.compress(b"1 0 <</S/JavaScript/JS(app.alert(1))>>")
    hidden = b"9 0 obj<</Type/ObjStm/N 1>>stream\n" + packed + b"\nendstream endobj\n"
    noise = b"9 0 obj<<>>stream\n /JS is noise here \nendstream endobj\n"
    assert clean(PDF.replace(b"xref\n0", noise + b"xref\n0", 1))
    for evil in (b"<</S/JavaScript>>", b"<</S/#4Aava#53cript>>", b"<</S/Launch/F(x)>>", b"<</EmbeddedFile 1>>", hidden):
        with pytest.raises(Refused, match="active"):
            clean(PDF.replace(b"xref\n0", evil + b"xref\n0", 1))


@pytest.mark.parametrize(
    "raw",
    [
        ZIP,
        HTML,
        b"\x7fELF" + bytes(60),
        b"MZ" + bytes(60),
        b"GIF89a" + bytes(60),
        b"%!PS-Adobe",
        b"\x1f\x8b\x08" + bytes(60),
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00" * 100,
        b"OggX",
        b"II*\x00" + bytes(60),
    ],
)
def test_other_types_are_refused_whatever_they_are_called(raw: bytes) -> None:
    with pytest.raises(Refused, match="unknown_type"):
        type_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xd8\xff\xe0" + HTML,
        b"\x89PNG\r\n\x1a\n" + HTML,
        b"RIFF\x20\x00\x00\x00WEBPVP8 " + HTML,
        b"RIFF\x20\x00\x00\x00WAVEfmt " + HTML,
        b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVE",
        b"\x00\x00\x00\x18ftypM4A " + HTML,
        struct.pack(">I4s", 2**31, b"ftyp") + b"M4A ",
        b"\x00\x00\x00\x08ftyp" * 1000,
        b"OggS" + HTML,
        b"OggS\x00\x02" + bytes(20) + b"\xff" * 300,
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + HTML,
        FRAME + HTML,
        FRAME * 10 + HTML,
        b"%PDF-1.4\n" + HTML,
        photo("JPEG")[:200],
        photo("PNG")[:200],
        sound()[:43],
    ],
    ids=range(17),
)
def test_what_only_begins_as_one_of_ours_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused, match="broken"):
        clean(raw)


def test_a_bomb_of_pixels_is_refused_before_it_is_unpacked() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    with pytest.raises(Refused, match="too_many_pixels"):
        clean(head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b""))
    with pytest.raises(Refused, match="too_many_pixels"):
        clean(photo("JPEG", (1001, 1000)))
    words = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50 * 2**20)))
    small = photo("PNG")
    with pytest.raises(Refused, match="broken"):
        clean(small[:33] + words + small[33:])


def test_any_cut_and_any_turned_byte_is_refused_or_clean() -> None:
    """Nothing but Refused ever comes out, and never what was noted."""
    for raw in (MP3, noted(sound(0.02)), (FILES / "voice.ogg").read_bytes(), (FILES / "voice.m4a").read_bytes(), PDF):
        for at in range(0, len(raw), max(1, len(raw) // 150)):
            for worse in (raw[:at], raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]):
                try:
                    clean(worse)
                except Refused:
                    continue


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("IMG_1.JPG", "IMG_1.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\li\\占道 照片.jpg", "占道 照片.png"),
        ("a\x00b\r\nc\u202egpj.exe", "abcgpj.png"),
        ("photo.png.exe", "photo.png.png"),
        ("..", "file.png"),
        ("/", "file.png"),
        ("<img src=x>.png", "_img src=x_.png"),
        ("x" * 400, "x" * 80 + ".png"),
        ('a";filename=b.html', "a__filename=b.png"),
    ],
)
def test_a_name_does_nothing(given: str, name: str) -> None:
    assert name_of(given, "png") == name


@pytest.mark.parametrize("words", ["", "photo=20", "photo=20,voice=30,pdf=0", "photo=x,voice=1,pdf=1", "a=1,b=1,c=1"])
def test_sizes_that_cannot_be_are_refused(words: str) -> None:
    with pytest.raises(ValueError):
        bytes_of(words)


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def office(
    postgres: Postgres, demo_city: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    template, demo = demo_city
    home = tmp_path_factory.mktemp("office")
    (home / "demo.json").write_bytes(demo.read_bytes())
    keys = SecretStr("k1:" + "0123456789abcdef" * 4)
    settings = settings_for(home, recording_keys=keys, attachment_megabytes="photo=1,voice=1,pdf=1", attachments_most=3)
    name = await postgres.new_database(template)
    async with open_office(postgres.url(name), settings) as running:
        yield running
    await postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def code(office: Office) -> str:
    agent = await office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    return str(made[1]["code"])


async def bring(browser: Browser, code: str, raw: bytes, name: str = "photo.jpg", key: str = "") -> tuple[int, Any]:
    query = {"name": name, "key": key or str(uuid.uuid4())}
    headers = {"Content-Type": "text/html"}
    response = await browser.send("POST", f"/api/v1/orders/{code}/attachments", data=raw, params=query, headers=headers)
    return response.status, await response.json()


async def listed(browser: Browser, code: str) -> Any:
    status, found = await browser.ask("GET", f"/api/v1/orders/{code}/attachments")
    assert status == 200, found
    return found


async def audited(office: Office, what: str, file: str) -> list[Any]:
    async with office.engine.connect() as connection:
        told = await connection.scalars(select(tables.audit.c.what).where(tables.audit.c.act == what))
        return [each for each in told if each["file"] == file]


async def test_a_photo_is_kept_sealed_and_read_as_a_download_on_record(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")
    status, made = await bring(agent, code, photo("JPEG"), "../现场\u202e.jpg")
    assert (status, made["name"], made["form"], made["kind"], made["open"]) == (201, "现场.jpg", "jpg", "photo", True)
    found = await listed(agent, code)
    assert found["items"] == [made] and found["may_add"] and found["most"]["photo"] == 2**20
    response = await agent.send("GET", f"/api/v1/orders/{code}/attachments/{made['id']}")
    body = await response.read()
    assert (response.status, response.content_type, len(body)) == (200, "image/jpeg", made["bytes"])
    assert SECRET not in body and body.startswith(b"\xff\xd8\xff")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="file.jpg"; filename*=UTF-8')
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "no-store" in response.headers["Cache-Control"]
    assert len(await audited(office, "read_attachment", made["id"])) == 1
    assert len(await audited(office, "add_attachment", made["id"])) == 1
    (sealed,) = (office.settings.home / "attachments").rglob(f"{made['id']}.sealed")
    assert body not in sealed.read_bytes() and b"\xff\xd8\xff" not in sealed.read_bytes()[:200]
    assert sealed.stat().st_mode & 0o077 == 0
    part = await agent.send("GET", f"/api/v1/orders/{code}/attachments/{made['id']}", headers={"Range": "bytes=2-5"})
    assert (part.status, await part.read()) == (206, body[2:6])
    assert len(await audited(office, "read_attachment", made["id"])) == 2, "a part of it is read, too"


async def test_of_a_photo_there_is_a_small_one_and_a_pdf_opens_in_its_tab(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")
    url = f"/api/v1/orders/{code}/attachments"
    _, made = await bring(agent, code, photo("JPEG", (900, 600)))
    response = await agent.send("GET", f"{url}/{made['id']}/small")
    with Image.open(io.BytesIO(await response.read())) as image:
        assert (response.content_type, image.format, image.size) == ("image/webp", "WEBP", (213, 320))
    (sealed,) = (office.settings.home / "attachments").rglob(f"{made['id']}-small.sealed")
    assert b"WEBP" not in sealed.read_bytes()
    sealed.unlink()  # as of a photo that was brought before there were small ones
    again = await asyncio.gather(*(agent.send("GET", f"{url}/{made['id']}/small") for _ in range(3)))
    assert [(each.status, each.content_type) for each in again] == [(200, "image/webp")] * 3 and sealed.exists()
    assert (await (await office.logged_in("liaison")).send("GET", f"{url}/{made['id']}/small")).status == 404
    assert await audited(office, "read_attachment", made["id"]) == [], "to see the list is no reading"
    _, sheet = await bring(agent, code, PDF)
    assert (await agent.send("GET", f"{url}/{sheet['id']}/small")).status == 404
    shown = await agent.send("GET", f"{url}/{sheet['id']}?shown=yes")
    assert shown.headers["Content-Disposition"].startswith("inline; ") and shown.content_type == "application/pdf"
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    saved = await agent.send("GET", f"{url}/{made['id']}?shown=yes")
    assert saved.headers["Content-Disposition"].startswith("attachment; "), "nothing else is shown by itself"


async def test_a_file_that_lies_is_taken_for_what_it_is_or_refused(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")
    assert (await bring(agent, code, PDF, "photo.jpg"))[1]["name"] == "photo.pdf"
    for raw, name, status, why in (
        (ZIP, "photo.jpg", 415, "unknown_type"),
        (HTML, "a.pdf", 415, "unknown_type"),
        (b"\xff\xd8\xff\xe0" + HTML, "a.jpg", 422, "broken"),
        (PDF.replace(b"xref\n0", b"<</S/JavaScript>>xref\n0", 1), "a.pdf", 422, "active"),
        (b"", "a.jpg", 422, "empty"),
        (b"\xff", "a.jpg", 415, "unknown_type"),
        (b"\xff\xd8\xff" + bytes(2**20), "a.jpg", 413, "too_large"),
        (b"\x00" * (3 * 2**20), "a.jpg", 413, "too_large"),
    ):
        got, refused = await bring(agent, code, raw, name)
        assert (got, refused["error"]["code"]) == (status, why)
        assert refused["error"]["zh"] and refused["error"]["en"]
    assert len((await listed(agent, code))["items"]) == 1
    kept = {
        path.stem.removesuffix("-small") for path in (office.settings.home / "attachments").rglob("*") if path.is_file()
    }
    async with office.engine.connect() as connection:
        written = {str(each) for each in await connection.scalars(select(tables.order_attachments.c.id))}
    assert kept == written, "nothing is left of what was refused"


async def test_a_stream_without_an_end_is_cut_off(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")

    async def endless() -> AsyncIterator[bytes]:
        yield b"\xff\xd8\xff\xe0"
        for _ in range(200):
            yield bytes(2**16)
            await asyncio.sleep(0)

    headers = {"X-Callcenter": "1", "Origin": agent.url}
    url = f"{agent.url}/api/v1/orders/{code}/attachments?name=a.jpg&key={uuid.uuid4()}"
    async with agent.session.post(url, data=endless(), headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (413, "too_large")


async def test_the_same_message_twice_is_one_file_and_there_is_an_end_to_files(office: Office, code: str) -> None:
    agent, key = await office.logged_in("operator"), str(uuid.uuid4())
    answers = await asyncio.gather(*(bring(agent, code, sound(), "voice.wav", key) for _ in range(3)))
    assert len({made["id"] for status, made in answers if status == 201}) == 1
    assert (await bring(agent, code, sound(), "voice.wav", key))[1]["id"] == answers[0][1]["id"]
    other = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    assert (await bring(agent, other[1]["code"], sound(), "voice.wav", key))[1]["error"]["code"] == "key_taken"
    for _ in range(2):
        assert (await bring(agent, code, sound()))[0] == 201
    assert (await bring(agent, code, sound()))[1]["error"]["code"] == "too_many_files"


async def test_who_may_not_see_the_order_sees_no_file(office: Office, code: str) -> None:
    agent, liaison = await office.logged_in("operator"), await office.logged_in("liaison")
    _, made = await bring(agent, code, photo("PNG"), "a.png")
    url = f"/api/v1/orders/{code}/attachments"
    assert (await liaison.ask("GET", url))[0] == 404
    assert (await liaison.ask("GET", f"{url}/{made['id']}"))[0] == 404
    assert (await bring(liaison, code, photo("PNG")))[0] == 404
    assert (await office.browser().ask("GET", f"{url}/{made['id']}"))[0] == 401
    assert (await (await office.logged_in("admin")).ask("GET", f"{url}/{made['id']}"))[0] == 403
    other = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    assert (await agent.ask("GET", f"/api/v1/orders/{other[1]['code']}/attachments/{made['id']}"))[0] == 404
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    assert (await liaison.send("GET", f"{url}/{made['id']}")).status == 200


async def test_the_voice_of_a_confidential_order_stays_with_the_centre(office: Office, code: str) -> None:
    agent, dispatcher = await office.logged_in("operator"), await office.logged_in("dispatcher")
    _, voice = await bring(agent, code, sound(), "voice.wav")
    _, picture = await bring(agent, code, photo("WEBP"), "a.webp")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    async with office.engine.begin() as connection:
        await connection.execute(update(tables.orders).where(tables.orders.c.code == code).values(confidential=True))
    liaison, url = await office.logged_in("liaison"), f"/api/v1/orders/{code}/attachments"
    found = {each["id"]: each["open"] for each in (await listed(liaison, code))["items"]}
    assert found == {voice["id"]: False, picture["id"]: True}
    assert (await liaison.ask("GET", f"{url}/{voice['id']}"))[1]["error"]["code"] == "confidential_voice"
    assert (await agent.send("GET", f"{url}/{voice['id']}")).status == 200


async def test_a_file_is_deleted_by_right_with_a_reason_and_for_good(office: Office, code: str) -> None:
    agent, boss = await office.logged_in("operator"), await office.logged_in("supervisor")
    _, made = await bring(agent, code, photo("JPEG"))
    url = f"/api/v1/orders/{code}/attachments/{made['id']}"
    why = {"reason": "照片中有他人身份证"}
    assert (await agent.ask("POST", f"{url}/removal", why))[0] == 403
    assert (await boss.ask("POST", f"{url}/removal", {"reason": "x"}))[0] == 422
    assert (await boss.ask("POST", f"{url}/removal", why))[0] == 204
    assert (await boss.ask("POST", f"{url}/removal", why))[0] == 410
    assert (await agent.ask("GET", url))[0] == 410
    assert list((office.settings.home / "attachments").rglob(f"{made['id']}*")) == []
    (row,) = (await listed(agent, code))["items"]
    assert (row["deleted_by"], row["deleted_why"], row["open"]) == ("sunli", why["reason"], False)
    assert await audited(office, "remove_attachment", made["id"]) == [{"code": code, "file": made["id"]} | why]


async def test_a_deletion_that_was_cut_off_is_made_good(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")
    _, made = await bring(agent, code, photo("JPEG"))
    _, stays = await bring(agent, code, photo("PNG"))
    gone = update(tables.order_attachments).where(tables.order_attachments.c.id == uuid.UUID(made["id"]))
    async with office.engine.begin() as connection:
        await connection.execute(gone.values(deleted_at=now(), deleted_by="sunli", deleted_why="误传的照片"))
    vault = office.app[FILES_VAULT]
    assert vault is not None and vault.path(made["id"]).exists()
    assert await tidy(office.engine, vault) == 1
    assert not vault.path(made["id"]).exists() and vault.path(stays["id"]).exists()
    # A service that was killed between sealing a file and writing it down: nobody will ever ask for that file.
    lost, new = vault.path(str(uuid.uuid4())), vault.path(str(uuid.uuid4()))
    for path, days in ((lost, 2), (lost.with_suffix(".part"), 2), (new, 0), (vault.path(stays["id"]), 2)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        old = (now() - timedelta(days=days)).timestamp()
        os.utime(path, (old, old))
    assert sum([await sweep(office.engine, vault, folder) for folder in FOLDERS]) == 2
    assert not lost.exists() and new.exists() and vault.path(stays["id"]).exists()


async def test_without_keys_nothing_is_kept(own_office: Office) -> None:
    agent = await own_office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(own_office, login_of(own_office))}/order", order())
    status, refused = await bring(agent, made[1]["code"], photo("JPEG"))
    assert (status, refused["error"]["code"]) == (503, "no_keys")


def test_every_type_has_its_mime_and_kind() -> None:
    assert {each.kind for each in TYPES.values()} == {"photo", "voice", "pdf"}
    assert all("html" not in each.mime and "svg" not in each.mime for each in TYPES.values())
