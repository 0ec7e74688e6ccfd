"""What a file is by its content, and the same without what it says beside (附件清洗). Pure.

A name or a type that somebody claims counts for nothing. Photos are decoded and written anew, so nothing is left of
what a camera noted (where and when, by whom) nor of what was hung on; of voices and of documents only the parts that
make them up are kept. What is not wholly one of the kinds is refused.
"""

import io
import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageOps, UnidentifiedImageError

Kind = Literal["photo", "voice", "pdf"]

NAME_MOST: Final = 80


@dataclass(frozen=True, slots=True)
class Type:
    """A type of file that is taken. `form`: its ending, without the dot."""

    form: str
    kind: Kind
    mime: str


TYPES: Final = {
    each.form: each
    for each in (
        Type("jpg", "photo", "image/jpeg"),
        Type("png", "photo", "image/png"),
        Type("webp", "photo", "image/webp"),
        Type("wav", "voice", "audio/wav"),
        Type("mp3", "voice", "audio/mpeg"),
        Type("m4a", "voice", "audio/mp4"),
        Type("ogg", "voice", "audio/ogg"),
        Type("pdf", "pdf", "application/pdf"),
    )
}


class Refused(Exception):
    """The file is not taken. `code`: unknown_type, broken, too_many_pixels, active."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def type_of(raw: bytes) -> Type:
    """The type that a file begins as. Raises Refused for none of ours."""
    head = raw[:16]
    if head.startswith(b"\xff\xd8\xff"):
        form = "jpg"
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        form = "png"
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        form = "webp"
    elif head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        form = "wav"
    elif head[4:8] == b"ftyp":
        form = "m4a"
    elif head.startswith(b"OggS"):
        form = "ogg"
    elif head.startswith(b"%PDF-1.") or head.startswith(b"%PDF-2."):
        form = "pdf"
    elif head.startswith(b"ID3") or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0):
        form = "mp3"
    else:
        raise Refused("unknown_type")
    return TYPES[form]


def cleaned(raw: bytes, found: Type, *, pixels: int) -> bytes:
    """The file without what it says beside. Takes a moment for photos: call it in a thread.

    Args:
        pixels: most of a photo's; one with more is refused before it is decoded.

    Raises Refused.
    """
    if found.kind == "photo":
        return _photo(raw, found.form, pixels)
    try:
        clean = _VOICES[found.form](raw) if found.kind == "voice" else _pdf(raw)
    except (struct.error, IndexError) as error:
        raise Refused("broken") from error
    if not clean:
        raise Refused("broken")
    return clean


def name_of(given: str, form: str) -> str:
    """A name to show and to save a file by: the last part of what was given, without signs that do something."""
    last = re.split(r"[/\\]", given)[-1]
    plain = "".join(char for char in last if unicodedata.category(char)[0] not in "CZ" or char == " ")
    stem = re.sub(r'[<>:"|?*%;&$`\']', "_", plain.rpartition(".")[0] or plain).strip(" .")
    return f"{stem[:NAME_MOST].strip(' .') or 'file'}.{form}"


# --- photos -----------------------------------------------------------------------------------------------------------

_FORMATS: Final = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def _photo(raw: bytes, form: str, pixels: int) -> bytes:
    try:
        with Image.open(io.BytesIO(raw), formats=[_FORMATS[form]]) as image:
            if image.width * image.height > pixels:
                raise Refused("too_many_pixels")
            image.load()
            upright = ImageOps.exif_transpose(image)
            plain = upright.convert(_mode(upright, form))
    except Image.DecompressionBombError as error:
        raise Refused("too_many_pixels") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, MemoryError, struct.error) as error:
        raise Refused("broken") from error
    # A picture of its own, that has nothing but its points.
    bare = Image.frombytes(plain.mode, plain.size, plain.tobytes())
    out = io.BytesIO()
    more = {"JPEG": {"quality": 88}, "PNG": {}, "WEBP": {"quality": 88, "method": 2}}[_FORMATS[form]]
    bare.save(out, _FORMATS[form], **more)
    return out.getvalue()


#: Longest side of a small photo (缩略图), in points, and how it goes out.
SMALL: Final = 320
SMALL_MIME: Final = "image/webp"


def small(photo: bytes) -> bytes:
    """A small copy of a photo that was cleaned, to look a list through. Takes a moment: call it in a thread."""
    with Image.open(io.BytesIO(photo), formats=list(_FORMATS.values())) as image:
        image.draft("RGB", (2 * SMALL, 2 * SMALL))  # a JPEG is unpacked no larger than that
        image.thumbnail((SMALL, SMALL))
        plain = image.convert("RGBA" if _mode(image, "webp") == "RGBA" else "RGB")
    out = io.BytesIO()
    plain.save(out, "WEBP", quality=75, method=2)
    return out.getvalue()


def _mode(image: Image.Image, form: str) -> str:
    """Colours as they are kept: grey, colour, or with transparency where the format has it."""
    if form != "jpg" and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        return "RGBA"
    return "L" if image.mode in ("1", "L") and form != "webp" else "RGB"


# --- voices -----------------------------------------------------------------------------------------------------------

#: PCM, float, A-law, µ-law, and the extended form of these (RFC 2361).
_WAVES: Final = frozenset({1, 3, 6, 7, 0xFFFE})


def _wav(raw: bytes) -> bytes:
    """Format and samples alone, of a RIFF that may hold notes, pictures and other things."""
    form = data = None
    end = min(len(raw), 8 + struct.unpack_from("<I", raw, 4)[0])
    at = 12
    while at + 8 <= end and data is None:
        name, size = struct.unpack_from("<4sI", raw, at)
        body = raw[at + 8 : min(end, at + 8 + size)]
        if name == b"fmt ":
            form = body[:40]
        elif name == b"data":
            data = body
        at += 8 + size + (size & 1)
    if form is None or data is None or len(form) < 16:
        raise Refused("broken")
    tag, channels, rate, _, block, _ = struct.unpack_from("<HHIIHH", form)
    if tag not in _WAVES or not 1 <= channels <= 8 or not 4_000 <= rate <= 192_000 or not 1 <= block <= 64:
        raise Refused("broken")
    data = data[: len(data) - len(data) % block]
    if not data:
        raise Refused("broken")
    parts = _chunk(b"fmt ", form) + _chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
#: Frames in a row that a file must begin with, for three bytes are a frame's head anywhere.
_SURE: Final = 3


def _mp3(raw: bytes) -> bytes:
    """The frames of layer III alone, one after the other; tags before, behind and between are left out."""
    at = 0
    while raw[at : at + 3] == b"ID3":
        size = 0
        for byte in raw[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size
    frames = []
    while length := _frame(raw, at):
        frames.append(raw[at : at + length])
        at += length
    rest = raw[at:]
    if len(frames) < _SURE or (
        rest and not rest.startswith((b"TAG", b"APETAGEX", b"LYRICSBEGIN")) and rest.strip(b"\0")
    ):
        raise Refused("broken")
    return b"".join(frames)


def _frame(raw: bytes, at: int) -> int:
    """Length of the whole frame that begins there; 0 when none does."""
    if at + 4 > len(raw):
        return 0
    head = int.from_bytes(raw[at : at + 4], "big")
    version, layer, bits, rate, pad = head >> 19 & 3, head >> 17 & 3, head >> 12 & 15, head >> 10 & 3, head >> 9 & 1
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or bits in (0, 15) or rate == 3:
        return 0
    kilobits = (_BITS_1 if version == 3 else _BITS_2)[bits]
    length = (144 if version == 3 else 72) * kilobits * 1000 // _RATES[version][rate] + pad
    return length if at + length <= len(raw) else 0


#: Boxes of ISO 14496-12 that hold others, and those that a voice needs. All others are emptied where they stand, for
#: the tables of a track count bytes from the file's beginning.
_HOLDS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf", b"dinf"})
_KEEPS: Final = frozenset(
    b"ftyp mdat mvhd tkhd mdhd hdlr smhd dref stsd stts stsc stsz stz2 stco co64 stss ctts elst trex mehd mfhd tfhd"
    b" tfdt trun sgpd sbgp sidx free skip wide".split()
)


def _m4a(raw: bytes) -> bytes:
    """An MPEG-4 of sound alone, its notes, places and other boxes emptied."""
    out = bytearray(raw)
    seen: set[bytes] = set()
    end = _boxes(out, 0, len(raw), seen, 0)
    if not {b"ftyp", b"moov", b"mdat", b"hdlr", b"stsd"} <= seen or b"vide" in seen or b"soun" not in seen:
        raise Refused("broken")
    return bytes(out[:end])


def _boxes(out: bytearray, at: int, end: int, seen: set[bytes], depth: int) -> int:
    """Go through the boxes of a stretch, emptying what is not kept; where the last whole one ends."""
    if depth > 8:
        raise Refused("broken")
    while at < end:
        if end - at < 8:
            raise Refused("broken")
        size, name = struct.unpack_from(">I4s", out, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", out, at + 8)[0], 16
        elif size == 0:
            size = end - at
        if size < head or at + size > end or not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name):
            raise Refused("broken")
        if name in _HOLDS:
            seen.add(name)
            _boxes(out, at + head, at + size, seen, depth + 1)
        elif name in _KEEPS:
            seen.add(name)
            if name == b"hdlr":
                seen.add(bytes(out[at + head + 8 : at + head + 12]))
                # After the kind of media stands a name, which the program writes as it likes.
                out[at + head + 24 : at + size] = bytes(size - head - 24)
            elif name in (b"free", b"skip", b"wide"):
                out[at + head : at + size] = bytes(size - head)
        else:
            out[at + 4 : at + 8] = b"free"
            out[at + head : at + size] = bytes(size - head)
        at += size
    return at


_OGG: Final = struct.Struct("<4sBBqIIIB")


def _ogg(raw: bytes) -> bytes:
    """The pages of one stream of Opus or Vorbis, its comments blotted out; what follows the last page is left out."""
    pages = list(_pages(raw))
    if not pages or len({bytes(page[14:18]) for page in pages}) != 1:
        raise Refused("broken")
    first = _body(pages[0])
    mark = b"OpusTags" if first.startswith(b"OpusHead") else b"\x03vorbis" if first.startswith(b"\x01vorbis") else b""
    if not mark:
        raise Refused("unknown_type")
    _blot(pages, mark)
    return b"".join(map(bytes, pages))


def _pages(raw: bytes) -> Iterator[bytearray]:
    at = 0
    while raw[at : at + 4] == b"OggS":
        *_, segments = _OGG.unpack_from(raw, at)
        length = _OGG.size + segments + sum(raw[at + _OGG.size : at + _OGG.size + segments])
        page = bytearray(raw[at : at + length])
        if len(page) < length or page[4] != 0:
            raise Refused("broken")
        told = bytes(page[22:26])
        page[22:26] = bytes(4)
        if _crc(page) != told:
            raise Refused("broken")
        page[22:26] = told
        yield page
        at += length


def _body(page: bytearray) -> bytes:
    return bytes(page[_OGG.size + page[26] :])


def _blot(pages: list[bytearray], mark: bytes) -> None:
    """Make the second packet, that of the comments, one long name of nobody: its length stays, and so do the pages."""
    places: list[tuple[int, int]] = []
    for number, page in enumerate(pages[1:], 1):
        at = _OGG.size + page[26]
        for lace in page[_OGG.size : _OGG.size + page[26]]:
            places += [(number, at + n) for n in range(lace)]
            at += lace
            if lace < 255:
                break
        else:
            continue
        break
    else:
        raise Refused("broken")
    size = len(places)
    fixed = len(mark) + 8 + (mark[0] == 3)
    packet = bytes(pages[number][offset] for number, offset in places[: len(mark)])
    if size < fixed or packet != mark:
        raise Refused("broken")
    spaces = size - fixed
    blank = mark + struct.pack("<I", spaces) + b" " * spaces + bytes(4) + (b"\x01" if mark[0] == 3 else b"")
    for (number, offset), byte in zip(places, blank, strict=True):
        pages[number][offset] = byte
    for number in {number for number, _ in places}:
        pages[number][22:26] = bytes(4)
        pages[number][22:26] = _crc(pages[number])


_TURNED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _crc(page: bytearray) -> bytes:
    """RFC 3533: zlib's polynomial with the bits the other way round, and not begun with ones."""
    found = zlib.crc32(page.translate(_TURNED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return struct.pack(">I", found).translate(_TURNED)


_VOICES: Final[dict[str, Callable[[bytes], bytes]]] = {"wav": _wav, "mp3": _mp3, "m4a": _m4a, "ogg": _ogg}

# --- pdf --------------------------------------------------------------------------------------------------------------

#: What makes a document do something, or carry other files (ISO 32000-1, 7.11, 12.6).
_ACTIVE: Final = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA|SubmitForm|ImportData)(?![A-Za-z])")
_STREAM: Final = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
#: Most of what compressed objects may come to; more is a bomb.
_OBJECTS_MOST: Final = 16 * 2**20


def _pdf(raw: bytes) -> bytes:
    """The document up to its own end. One that acts, or carries other files, is refused: it is for reading."""
    end = raw.rfind(b"%%EOF")
    if end < 0 or b"startxref" not in raw:
        raise Refused("broken")
    whole = raw[: end + 5] + b"\n"
    outside = _STREAM.sub(b"stream endstream", whole)
    if _ACTIVE.search(_plain_names(outside)) or any(_ACTIVE.search(_plain_names(each)) for each in _objects(whole)):
        raise Refused("active")
    return whole


def _plain_names(text: bytes) -> bytes:
    """Names may be written with #4A for J."""
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text)


def _objects(whole: bytes) -> Iterator[bytes]:
    """What stands in compressed stretches of objects. Raises Refused when they come to too much."""
    left = _OBJECTS_MOST
    for found in _STREAM.finditer(whole):
        if b"/ObjStm" not in whole[max(0, found.start() - 1000) : found.start()]:
            continue
        try:
            text = zlib.decompressobj().decompress(found[1], left)
        except zlib.error:
            continue
        left -= len(text)
        if left <= 0:
            raise Refused("active")
        yield text
