"""The documentation site: built once, without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, name
from tests.support.discovery import name_in_a_dag, operators
from tests.support.site import build_site

TARGET = re.compile(r'<(?:script|link|img)\b[^>]*?\b(?:src|href)="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


def test_every_page_is_there(site: Path) -> None:
    """Each Markdown file of docs/ is a page."""
    pages = [page.relative_to(ROOT / "docs").with_suffix(".html") for page in DOCS]
    assert [page for page in pages if not (site / page).exists()] == []


def test_the_reference_has_every_operator(site: Path) -> None:
    """Operators, sensors and transfers can be linked to, with all arguments, those of their bases too."""
    text = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    kinds = [kind for kind in operators().values() if name_in_a_dag(kind) == kind.__name__]
    assert [kind.__name__ for kind in kinds if f'id="{kind.__module__}.{kind.__name__}"' not in text] == []
    upload = (site / "reference" / "operators.html").read_text("utf-8").split("OSSPutObjectOperator", 1)[0]
    assert all(f">{argument}</span>" in upload for argument in ("file_path", "checkpoint", "mime", "oss_conn_id"))


def test_nothing_is_fetched(site: Path) -> None:
    """Scripts, styles and pictures are the site's own: it works from a disk."""
    for page in site.rglob("*.html"):
        found = TARGET.findall(page.read_text("utf-8"))
        assert found
        assert [target for target in found if "://" in target] == [], name(page) if page.is_relative_to(ROOT) else page


def test_search_finds_an_argument(site: Path) -> None:
    """The index of the search, which needs no server, has what only docstrings say."""
    assert "multipart_threshold" in (site / "searchindex.js").read_text("utf-8")
