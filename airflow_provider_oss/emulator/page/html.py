"""HTML out of texts and elements: a text is escaped where it becomes part of an element, so none can be markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.readable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VOID: Final = frozenset({"input", "link", "meta"})
"""What has no content, and no end."""


class Markup(str):
    """A text that is HTML; only ``element`` makes it."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """Return an element; of its content, a text is escaped. An underscore ends an attribute that Python reserves."""
    opened = "".join(f' {key.rstrip("_")}="{escape(printable(value))}"' for key, value in attributes.items())
    inner = "".join(piece if isinstance(piece, Markup) else escape(printable(piece)) for piece in content)
    return Markup(f"<{name}{opened}>" if name in _VOID else f"<{name}{opened}>{inner}</{name}>")


def long_text(text: str) -> Markup:
    """Return a text that may be long, for a cell: it breaks where it must."""
    return element("span", text, class_="text")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> Markup:
    """Return a table in a box that scrolls by itself; without a row, ``empty`` as a paragraph."""
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    if not body:
        return element("p", empty, class_="empty")
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="wide")


def section(heading: str, *content: Markup) -> Markup:
    """Return a part of a page under its heading."""
    return element("section", element("h2", heading), *content)


def document(title: str, style: str, *content: Markup) -> bytes:
    """Return a whole page, which asks for nothing but its style sheet."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("link", rel="stylesheet", href=style),
        element("title", title),
    )
    page = element("html", head, element("body", element("h1", title), *content), lang="en")
    return f"<!DOCTYPE html>\n{page}\n".encode("utf-8", "replace")
