"""README stays true where a program can tell."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from readme import with_table  # noqa: E402


def test_the_table_of_settings_is_drawn_from_the_settings() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme) == readme, "run: .venv/bin/python scripts/readme.py"


def test_every_folder_of_the_map_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"## The map\n\n```\n(.*?)```", readme, re.DOTALL)
    assert tree is not None
    parent = ""
    for line in tree[1].splitlines():
        name = line.split()[0]
        parent = parent if line.startswith("  ") else name
        folder = ROOT / (parent + name if line.startswith("  ") else name)
        assert folder.is_dir(), f"README's map names {name}, which is not there"
