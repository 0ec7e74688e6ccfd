"""The city's reference data fits together, and is served once."""

from collections import Counter

from office import Office

from callcenter.directory.city import CATEGORIES, DEPARTMENTS, HOTLINES, KINDS, LEAVES, REGIONS, URGENCIES
from ivr.services import SERVICES


def test_the_city_is_whole() -> None:
    assert Counter(each.kind for each in DEPARTMENTS.values()) == {"bureau": 44, "partner": 17}
    assert Counter(each.level for each in REGIONS.values()) == {"district": 11, "street": 78}
    assert (len(CATEGORIES) - len(LEAVES), len(LEAVES)) == (18, 124)
    assert (len(KINDS), len(URGENCIES), len(HOTLINES)) == (11, 4, 38)


def test_every_leaf_can_be_filed_and_dispatched() -> None:
    for leaf in LEAVES.values():
        assert leaf.lead in DEPARTMENTS, leaf.code
        assert set(leaf.co) <= DEPARTMENTS.keys(), leaf.code
        assert CATEGORIES[leaf.parent].parent == "", leaf.code
        assert leaf.default_kind in KINDS, leaf.code
        assert leaf.default_urgency in URGENCIES, leaf.code


def test_every_leaf_is_found_by_pinyin_and_english() -> None:
    for leaf in LEAVES.values():
        syllables = leaf.pinyin.split()
        assert len(syllables) == len(leaf.zh), leaf.zh
        assert all(syllable.isascii() and syllable.isalpha() for syllable in syllables), leaf.pinyin
        assert leaf.initials == "".join(syllable[0] for syllable in syllables)
        assert leaf.en


def test_every_street_lies_in_a_district() -> None:
    for region in REGIONS.values():
        assert (region.level == "street") == (region.parent in REGIONS), region.code


def test_the_lines_that_ring_here_are_the_citys() -> None:
    ours = {number for number, line in HOTLINES.items() if line.mode in ("unified", "parallel", "merged")}
    assert {service.number for service in SERVICES} == ours
    for service in SERVICES:
        line = HOTLINES[service.number]
        assert (service.zh, service.en, service.owner) == (line.zh, line.en, line.owner)


async def test_the_reference_is_sent_once(office: Office) -> None:
    browser = await office.logged_in("operator")
    first = await browser.send("GET", "/api/v1/reference")
    assert first.status == 200
    body = await first.json()
    assert {name: len(rows) for name, rows in body.items() if isinstance(rows, list)} == {
        "kinds": 11,
        "urgencies": 4,
        "categories": 142,
        "regions": 89,
        "departments": 61,
        "services": 28,
        "breaks": 6,
    }
    again = await browser.send("GET", "/api/v1/reference", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    other = await browser.send("GET", "/api/v1/reference", headers={"If-None-Match": '"other"'})
    assert other.status == 200
