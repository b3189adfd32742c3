"""
XML documents of OSS: written without namespaces, read without document types or entities.

OSS takes control characters, raw and as ``&#1;``, where XML 1.0 has none. expat does not, so they are read under a
stand-in: a mark, then two digits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError, SubElement, TreeBuilder, tostring
from xml.parsers import expat

from airflow_provider_oss.emulator.errors import OSSError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Element", "add", "add_tags", "document", "error_document", "parse", "render", "tags_in", "text_of"]

_TROUBLESHOOT_URL: Final = "https://api.aliyun.com/troubleshoot"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 does not know: most control characters, and halves of surrogate pairs."""
_MARK: Final = "\U0010fffd"
_MARK_ITSELF: Final = "ff"
_UNREADABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\U0010fffd]"
    r"|&#0*(?P<decimal>[0-8]|1[124-9]|2[0-9]|3[01]|1114109);|&#x0*(?P<hexadecimal>[0-8bcef]|1[0-9a-f]|10fffd);",
    re.IGNORECASE,
)
"""Control characters and the mark, themselves and as references."""
_STAND_IN: Final = re.compile(f"{_MARK}(..)")
_PROLOG: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def document(name: str, **children: str | int | None) -> Element:
    """Return a root element with text children in the given order; a child whose value is None is left out."""
    root = Element(name)
    add(root, **children)
    return root


def add(parent: Element, **children: str | int | None) -> None:
    """Append text children in the given order; a child whose value is None is left out."""
    for name, value in children.items():
        if value is not None:
            SubElement(parent, name).text = str(value)


def add_tags(parent: Element, tags: Iterable[tuple[str, str]]) -> None:
    """Append the ``TagSet`` element, as documents of objects and of buckets have it."""
    tag_set = SubElement(parent, "TagSet")
    for key, value in tags:
        add(SubElement(tag_set, "Tag"), Key=key, Value=value)


def tags_in(root: Element) -> tuple[tuple[str, str], ...]:
    """Return the keys and values of a ``Tagging`` document; what a tag lacks is empty."""
    return tuple((text_of(tag, "Key") or "", text_of(tag, "Value") or "") for tag in root.iterfind("TagSet/Tag"))


def render(root: Element) -> bytes:
    """Return the document as bytes, beginning at byte 0 with the XML declaration."""
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=False)
    return _PROLOG + body


def error_document(error: OSSError, *, request_id: str, host: str) -> bytes:
    """Return the body of an error answer. What no XML can hold, of the request's own texts, is replaced in it."""
    texts = {"Code": error.code, "Message": error.message, "RequestId": request_id, "HostId": host, **error.extra}
    root = document("Error", **{name: _NO_XML.sub("\ufffd", text) for name, text in texts.items()})
    if error.ec:
        add(root, EC=error.ec, RecommendDoc=f"{_TROUBLESHOOT_URL}?q={error.ec}")
    return render(root)


def parse(body: bytes, root_name: str) -> Element:
    """Read a document. Raises 400 MalformedXML when it is no XML, has another root, or brings a document type."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=None)
    parser.buffer_text = True

    def start(name: str, attributes: Mapping[str, str]) -> None:
        builder.start(name.rpartition(":")[2], dict(attributes))

    def end(name: str) -> None:
        builder.end(name.rpartition(":")[2])

    def refuse(*_: object) -> None:
        raise OSSError("MalformedXML", "A document type declaration is not allowed.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(_UNREADABLE.sub(_stand_in, body.decode()), True)  # noqa: FBT003 - by position only
        root = builder.close()
    except (expat.ExpatError, ParseError, AssertionError, UnicodeDecodeError) as error:
        raise OSSError("MalformedXML") from error
    if not isinstance(root, Element) or root.tag != root_name:
        raise OSSError("MalformedXML")
    return root


def text_of(parent: Element, name: str) -> str | None:
    """Return the text of a child, "" when the child is empty, None when there is none."""
    child = parent.find(name)
    return None if child is None else _STAND_IN.sub(_original, child.text or "")


def _stand_in(found: re.Match[str]) -> str:
    decimal, hexadecimal = found["decimal"], found["hexadecimal"]
    character = chr(int(decimal)) if decimal else chr(int(hexadecimal, 16)) if hexadecimal else found[0]
    return _MARK + (_MARK_ITSELF if character == _MARK else f"{ord(character):02x}")


def _original(found: re.Match[str]) -> str:
    return _MARK if found[1] == _MARK_ITSELF else chr(int(found[1], 16))
