"""XML documents."""

from __future__ import annotations

import pytest

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.wire.xml import document, error_document, parse, render, text_of


def test_rendering_begins_with_the_declaration() -> None:
    """The document begins at byte 0, has no namespace, and escapes its text."""
    body = render(document("Root", Key='a<&>"ü', Empty="", Left=None, Number=5))
    declaration, content = body.decode().split("\n")
    assert declaration == '<?xml version="1.0" encoding="UTF-8"?>'
    assert content == '<Root><Key>a&lt;&amp;&gt;"ü</Key><Empty /><Number>5</Number></Root>'


def test_an_error_has_all_that_clients_read() -> None:
    """Code, message, request id, host, the code's own elements, and the EC."""
    error = OSSError("NoSuchKey", extra={"Key": "a"})
    root = parse(error_document(error, request_id="ID", host="h"), "Error")
    assert [element.tag for element in root] == ["Code", "Message", "RequestId", "HostId", "Key", "EC", "RecommendDoc"]
    assert text_of(root, "EC") == "0026-00000001"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<Other/>",
        b"<Delete><Object></Delete>",
        b"<Delete/><Delete/>",
        b'<!DOCTYPE Delete [<!ENTITY a "b">]><Delete>&a;</Delete>',
        b'<!DOCTYPE Delete SYSTEM "file:///etc/passwd"><Delete/>',
        b"\xff\xfe",
    ],
)
def test_what_is_refused(body: bytes) -> None:
    """What is no XML, another document, or brings a document type is malformed."""
    with pytest.raises(OSSError, match="MalformedXML") as caught:
        parse(body, "Delete")
    assert caught.value.status == 400


def test_namespaces_are_ignored() -> None:
    """A client may send a namespace, with a prefix or without."""
    root = parse(b'<o:Delete xmlns:o="urn:x"><o:Quiet>true</o:Quiet></o:Delete>', "Delete")
    assert text_of(root, "Quiet") == "true"
    assert text_of(parse(b'<Delete xmlns="urn:x"><Quiet/></Delete>', "Delete"), "Quiet") == ""
    assert text_of(root, "Absent") is None


@pytest.mark.parametrize("written", ["a\x01b", "a&#1;b", "a&#01;b", "a&#x1;b", "a&#x01;b"])
def test_control_characters(written: str) -> None:
    """A control character may stand in a text, as itself and as a reference; so may what is read in its place."""
    root = parse(f"<Delete><Key>{written}\U0010fffd01&#x10FFFD;&#10;</Key></Delete>".encode(), "Delete")
    assert text_of(root, "Key") == "a\x01b\U0010fffd01\U0010fffd\n"
