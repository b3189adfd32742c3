"""The page's own files, read as text: the house's rules for what no other tool looks at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import airflow_provider_oss.ui

STATIC = Path(airflow_provider_oss.ui.__file__).parent / "static"
MODULES = sorted(STATIC.glob("*.js"))
FILES = sorted(STATIC.iterdir())
ENTRY = "transfers.js"


def imported(module: Path) -> set[str]:
    """Return the modules that a module imports."""
    return set(re.findall(r'from "\./([a-z_]+\.js)"', module.read_text()))


def test_every_module_is_reached() -> None:
    """What the page imports is there, and nothing else is."""
    reached, left = set(), {ENTRY}
    while left:
        name = left.pop()
        reached.add(name)
        left |= imported(STATIC / name) - reached
    assert reached == {module.name for module in MODULES}
    assert {file.suffix for file in FILES} == {".js", ".css"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_import_is_used(module: Path) -> None:
    """A name that is imported is used, and exists where it is imported from."""
    text = module.read_text()
    for names, source in re.findall(r'import \{([^}]*)\} from "\./([a-z_]+\.js)"', text):
        exporter = (STATIC / source).read_text()
        for name in filter(None, (one.strip() for one in names.split(","))):
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is not used"
            assert re.search(rf"export (const|function|class) {name}\b|export \{{[^}}]*\b{name}\b", exporter), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_but_text_is_drawn_and_no_other_host_is_named(file: Path) -> None:
    """No file makes HTML or code out of text, names another host, or has lines that are too long."""
    text = file.read_text()
    assert not re.search(r"(?i)innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", text)
    assert not re.search(r"https?://|url\(|@import", text)
    assert [line for line in text.splitlines() if len(line) > 120] == []
