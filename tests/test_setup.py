"""What a first start finds or fetches, and what it says when it cannot."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from callcenter.settings import Settings
from callcenter.standalone import CannotStart, asterisk, debian

ROOT = Path(__file__).parent.parent


def fetch(cache: Path, **more: str) -> tuple[int, str]:
    """`callcenter fetch` on a machine with an empty cache and no Asterisk."""
    done = subprocess.run(
        [sys.executable, "-m", "callcenter.cli", "fetch"],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **more},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr


def program(folder: Path, prints: str) -> Path:
    file = folder / "asterisk"
    file.write_text(f"#!/bin/sh\necho '{prints}'\n")
    file.chmod(0o755)
    return file


def test_missing_mirror_is_one_line_with_the_ways_out(tmp_path: Path) -> None:
    code, said = fetch(tmp_path, CALLCENTER_DEBIAN_MIRROR="http://127.0.0.1:9/debian")
    assert code == 2
    for way in ("CALLCENTER_DEBIAN_MIRROR", "CALLCENTER_ASTERISK_BIN", "docker-compose.yml"):
        assert way in said
    assert [left.name for left in (tmp_path / "callcenter").iterdir()] == ["lock"]


def test_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = fetch(tmp_path / "file")
    assert code == 2
    assert "XDG_CACHE_HOME" in said


def test_machine_without_apt_is_shown_the_other_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match=r"CALLCENTER_ASTERISK_BIN.*docker-compose\.yml"):
        debian.unpack(tmp_path, None)


def test_interrupted_unpack_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "callcenter" / ".unpacking-x" / "root" / "usr" / "sbin").mkdir(parents=True)
    assert asterisk.find(Settings()) is None


@pytest.mark.parametrize(
    "printed", ["Asterisk 16.28.0~dfsg-0+deb11u4", "Asterisk certified/18.9-cert12", "Asterisk 1.8"]
)
def test_too_old_an_asterisk_is_refused_by_version(tmp_path: Path, printed: str) -> None:
    with pytest.raises(
        CannotStart, match=r"is Asterisk (16\.28\.0|18\.9|1\.8), needed is 20 .*CALLCENTER_ASTERISK_BIN"
    ):
        asterisk.find(Settings(asterisk_bin=program(tmp_path, printed)))


def test_asterisk_on_the_path_goes_before_the_unpacked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "Asterisk 19.0.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CannotStart, match=r"is Asterisk 19\.0\.0, needed is 20"):
        asterisk.find(Settings())


def test_found_asterisk_has_all_that_we_load() -> None:
    copy = asterisk.find(Settings())
    assert copy is not None
    assert copy.version >= asterisk.OLDEST
    asterisk._check(copy)


def test_packages_are_read_from_what_apt_prints() -> None:
    printed = (
        "Reading package lists...\n"
        "'http://m/pool/a_22_amd64.deb' asterisk_1%3a22.10.1+dfsg-1_amd64.deb 2533884 SHA256:00\n"
        "'http://m/pool/p_5_amd64.deb' libperl5.42_5.42.0-1_amd64.deb 4272212 SHA256:00\n"
        "'http://m/pool/s_3_amd64.deb' libssl3t64_3.6.0-1_amd64.deb 2620984 SHA256:00\n"
    )
    assert debian._packages(printed) == {
        "asterisk": ("1:22.10.1+dfsg-1", 2533884),
        "libssl3t64": ("3.6.0-1", 2620984),
    }


def test_locked_versions_name_no_address() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text


def test_every_part_of_the_package_is_locked() -> None:
    """A dependency that was added without `make lock` would be missing on a new machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {
        line.partition("==")[0]
        for file in (ROOT / "requirements").glob("*.txt")
        for line in file.read_text().splitlines()
        if "==" in line
    }
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    wanted = [each for group in groups for each in group]
    names = {"".join(c if c.isalnum() or c in "-_." else " " for c in each).split()[0].lower() for each in wanted}
    assert names - locked == set()
