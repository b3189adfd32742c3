"""What a user says of an object becomes checked options, or an error that names the argument."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any, Final

import pytest

from airflow_provider_oss.clients.messages import content_headers, publishing_headers, sending_headers
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.limits import Limits
from airflow_provider_oss.emulator.metadata import checked_tags
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import Callback, ObjectOptions, ObjectRef
from airflow_provider_oss.options import (
    ACLS,
    STORAGE_CLASSES,
    ObjectOptionArguments,
    digest,
    parse_options,
    with_encoding,
)
from tests.support.descriptions import FULL, NAMES, another, given

NAMES_OF_ARGUMENTS: Final = ObjectOptionArguments.__annotations__.keys()


def test_nothing_said_is_nothing_stored() -> None:
    """Without arguments the options are the defaults."""
    assert parse_options() == ObjectOptions()


def test_everything_said_arrives() -> None:
    """Every argument finds its field; names are in lower case, values are text, the meta prefix is optional."""
    options = parse_options(
        mime="text/csv; charset=utf-8",
        meta={"Rows": 12, "x-oss-meta-Final": True},
        headers={"Cache-Control": "no-cache", "Expires": "Thu, 01 Jan 2032 00:00:00 GMT"},
        acl="public-read",
        storage_class="IA",
        tags={"team": "数据", "empty": "", "year": 2030},
        forbid_overwrite=True,
        traffic_limit=819_200,
        callback={
            "url": "http://app.invalid/told",
            "body": "key=${object}&run=${x:run}",
            "host": "app.invalid",
            "contentType": "application/json",
            "customValue": {"run": 7},
        },
    )

    assert options == ObjectOptions(
        mime="text/csv; charset=utf-8",
        meta={"rows": "12", "final": "True"},
        headers={"cache-control": "no-cache", "expires": "Thu, 01 Jan 2032 00:00:00 GMT"},
        acl="public-read",
        storage_class="IA",
        tags={"team": "数据", "empty": "", "year": "2030"},
        forbid_overwrite=True,
        traffic_limit_bits=819_200,
        callback=Callback(
            url="http://app.invalid/told",
            body="key=${object}&run=${x:run}",
            host="app.invalid",
            content_type="application/json",
            custom_value={"run": "7"},
        ),
    )


def test_a_callback_needs_only_url_and_body() -> None:
    """What a callback leaves out gets OSS's defaults."""
    options = parse_options(callback={"url": "http://app.invalid", "body": "a=b"})

    assert options.callback == Callback("http://app.invalid", "a=b")


@pytest.mark.parametrize("acl", ACLS)
def test_acls(acl: str) -> None:
    """Each of OSS's ACLs is taken."""
    assert parse_options(acl=acl).acl == acl


@pytest.mark.parametrize("storage_class", STORAGE_CLASSES)
def test_storage_classes(storage_class: str) -> None:
    """Each of OSS's storage classes is taken."""
    assert parse_options(storage_class=storage_class).storage_class == storage_class


def test_tags_are_refused_as_the_server_does() -> None:
    """Each ASCII character is taken in a tag when the local server takes it."""
    for character in map(chr, range(128)):
        try:
            checked_tags([("a", character)], Limits())
        except OSSError:
            with pytest.raises(OSSInvalidArgument, match=r"tags\['a'\]"):
                parse_options(tags={"a": character})
        else:
            assert parse_options(tags={"a": character}).tags == {"a": character}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"mime": "text/csv\r\nx: y"}, "mime=.*control character"),
        ({"mime": " text/csv"}, "mime=.*white space"),
        ({"meta": {"a b": "c"}}, "meta key 'a b'.*letters, digits"),
        ({"meta": {"": "c"}}, "meta key ''"),
        ({"meta": {"x-oss-meta-": "c"}}, "meta key 'x-oss-meta-'"),
        ({"meta": {"a": "b\n"}}, r"meta\['a'\]=.*control character"),
        ({"meta": {"a": "b\x7f"}}, r"meta\['a'\]=.*control character"),
        ({"headers": {"Cache Control": "x"}}, "headers key 'Cache Control'"),
        ({"headers": {"": "x"}}, "headers key ''"),
        ({"headers": {"Cache-Control": "x "}}, r"headers\['Cache-Control'\]=.*white space"),
        ({"headers": {"Content-Type": "x"}}, "cannot be given: use mime"),
        ({"headers": {"CONTENT-LENGTH": 3}}, "cannot be given: it is known"),
        ({"headers": {"X-Oss-Object-Acl": "private"}}, "use acl"),
        ({"headers": {"X-Oss-Meta-A": "b"}}, "use meta"),
        ({"acl": "everyone"}, "acl='everyone'.*private"),
        ({"acl": ""}, "acl=''"),
        ({"storage_class": "standard"}, "storage_class='standard'.*Standard"),
        ({"tags": dict.fromkeys(map(str, range(11)), "x")}, "tags has 11 entries.*10"),
        ({"tags": {"": "x"}}, r"tags\[''\]"),
        ({"tags": {"a" * 129: "x"}}, "128 characters"),
        ({"tags": {"a": "x" * 257}}, "256"),
        ({"tags": {"a&b": "x"}}, r"tags\['a&b'\]='x' has '&': OSS allows letters"),
        ({"tags": {"a": "<x>"}}, r"tags\['a'\]='<x>' has '<'"),
        ({"traffic_limit": 819_199}, "traffic_limit=819199.*819200"),
        ({"traffic_limit": 838_860_801}, "traffic_limit=838860801"),
        ({"callback": {"url": "u", "body": "b", "bodyType": "x"}}, r"unknown fields \['bodyType'\].*contentType"),
        ({"callback": {"url": "u"}}, "callback has no 'body'"),
        ({"callback": {"url": "", "body": "b"}}, "callback has no 'url'"),
        ({"mime": b"text/csv"}, "mime=b'text/csv' is a bytes: give text"),
        ({"meta": "{}"}, "meta='{}' is a str: give a mapping"),
        ({"meta": {1: "x"}}, "meta key 1 is an int: give text"),
        ({"meta": {"a": None}}, r"meta\['a'\]=None is a NoneType: give text, a number or a boolean"),
        ({"meta": {"a": "\ud800"}}, r"meta\['a'\]='\\ud800' cannot be written as UTF-8"),
        ({"headers": ["Expires"]}, r"headers=\['Expires'\] is a list: give a mapping"),
        ({"headers": {1: "x"}}, "headers key 1 is an int: give text"),
        ({"headers": {"Expires": b"x"}}, r"headers\['Expires'\]=b'x' is a bytes: give text"),
        ({"tags": 5}, "tags=5 is an int: give a mapping"),
        ({"tags": {1: "x"}}, "tags key 1 is an int: give text"),
        ({"tags": {"a": ["x"]}}, r"tags\['a'\]=\['x'\] is a list: give text"),
        ({"tags": {"a": "\ud800"}}, "tags.*UTF-8"),
        ({"tags": {"\ud800": "a"}}, "tags key.*UTF-8"),
        ({"traffic_limit": "fast"}, "traffic_limit='fast' is no whole number"),
        ({"callback": "http://app"}, "callback='http://app' is a str: give a mapping"),
        ({"callback": {1: "u"}}, "callback key 1 is an int: give text"),
        ({"callback": {"url": ["u"], "body": "b"}}, r"callback\['url'\]=\['u'\] is a list: give text"),
        ({"callback": {"url": "u", "body": "b", "customValue": "v"}}, r"callback\['customValue'\]='v' is a str"),
        ({"callback": {"url": "u", "body": "b", "customValue": {"v": None}}}, r"customValue\['v'\]=None is a NoneType"),
    ],
)
def test_what_oss_would_refuse_is_refused_here(arguments: dict[str, Any], complaint: str) -> None:
    """An argument that cannot work is an error that names it and says what can."""
    with pytest.raises(OSSInvalidArgument, match=complaint):
        parse_options(**arguments)


@pytest.mark.parametrize(
    ("headers", "encoding", "expected"),
    [
        (None, None, {}),
        (None, "gzip", {"Content-Encoding": "gzip"}),
        ({"Expires": "0"}, "gzip", {"Expires": "0", "Content-Encoding": "gzip"}),
        ({"content-ENCODING": "br"}, "gzip", {"content-ENCODING": "br"}),
        ({"Expires": "0"}, None, {"Expires": "0"}),
    ],
)
def test_an_encoding_is_added_once(headers: Any, encoding: str | None, expected: dict[str, str]) -> None:
    """A Content-Encoding that the user gave stays, in whatever case."""
    assert with_encoding(headers, encoding) == expected


@pytest.mark.parametrize("headers", [{1: "a"}, "Expires", 5, ["Expires"]])
def test_an_encoding_is_added_to_headers_only(headers: Any) -> None:
    """What are no headers is refused as everywhere."""
    with pytest.raises(OSSInvalidArgument, match="headers"):
        with_encoding(headers, "gzip")


BASE = parse_options(mime="text/csv", meta={"a": "1", "b": "2"}, headers={"expires": "0"}, tags={"t": "1", "u": "2"})


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, mime="text/plain"),
        replace(BASE, mime=None),
        replace(BASE, meta={"a": "1", "b": "3"}),
        replace(BASE, meta={}),
        replace(BASE, headers={"expires": "1"}),
        replace(BASE, storage_class="IA"),
        replace(BASE, tags={"t": "1"}),
    ],
)
def test_what_oss_fixes_at_the_beginning_changes_the_digest(other: ObjectOptions) -> None:
    """Options that an upload cannot be given later have another digest."""
    assert digest(other) != digest(BASE)


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, acl="private"),
        replace(BASE, forbid_overwrite=True),
        replace(BASE, traffic_limit_bits=819_200),
        replace(BASE, callback=Callback("http://app.invalid", "a=b")),
        replace(BASE, meta={"b": "2", "a": "1"}, tags={"u": "2", "t": "1"}),
    ],
)
def test_what_is_said_with_later_requests_does_not(other: ObjectOptions) -> None:
    """Options of UploadPart and CompleteMultipartUpload, and the order of names, leave the digest as it is."""
    assert digest(other) == digest(BASE)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "9e1f8e0afbe529fa"),
        ({"acl": "private", "forbid_overwrite": True}, "9e1f8e0afbe529fa"),
        ({"mime": "text/csv"}, "a355bdf3b525b418"),
        ({"meta": {"b": "2", "a": 1}}, "9ccc24cfccde74ae"),
        ({"headers": {"Expires": 0}}, "c8322db9fb2660c0"),
        ({"storage_class": "IA"}, "bc6d06e5030fb49a"),
        ({"tags": {"t": "数据"}}, "1b3cf56041f98c09"),
        (
            {
                "mime": "text/csv",
                "meta": {"a": "1"},
                "headers": {"Cache-Control": "no-store"},
                "storage_class": "Archive",
                "tags": {"x": "y"},
            },
            "e1fd09f5df640504",
        ),
    ],
)
def test_the_digest_is_stable(arguments: dict[str, Any], expected: str) -> None:
    """The digest is the same in every process and release: checkpoints hold it, and another one gives an upload up."""
    assert digest(parse_options(**arguments)) == expected


# Over the fields of a description, whatever they are


@pytest.mark.parametrize("name", NAMES)
def test_each_field_has_an_argument(name: str) -> None:
    """An argument of the field's name gives it; left out or None, nothing is given."""
    assert getattr(parse_options(**{name: given(name)}), name) == given(name)
    nothing: dict[str, Any] = {name: None}
    assert parse_options(**nothing) == ObjectOptions()


def test_each_option_has_an_argument() -> None:
    """What is stored with an object can be given by a user, and there is nothing else to give."""
    arguments = {"traffic_limit_bits" if name == "traffic_limit" else name for name in NAMES_OF_ARGUMENTS}
    assert arguments == {one.name for one in fields(ObjectOptions)}


@pytest.mark.parametrize("name", NAMES)
def test_each_field_is_in_the_digest(name: str) -> None:
    """What is given, what else is given, and nothing, are three digests."""
    values = [parse_options(), parse_options(**{name: given(name)}), parse_options(**{name: another(name)})]
    assert len(set(map(digest, values))) == len(values)


def test_no_field_stands_for_another_in_the_digest() -> None:
    """The same value in another field is another digest."""
    given_alone: list[dict[str, Any]] = [{name: {"a": "b"}} for name in NAMES]
    assert len({digest(replace(ObjectOptions(), **each)) for each in given_alone}) == len(NAMES)


ALL: Final = parse_options(
    **FULL, acl="private", forbid_overwrite=True, traffic_limit=819_200, callback={"url": "http://a", "body": "b"}
)
"""All that can be given."""


def test_each_option_is_sent() -> None:
    """Every field has a header of its own, or several."""
    ref = ObjectRef("bucket", "key")
    sent = {**content_headers(ref, ALL), **publishing_headers(ALL), **sending_headers(ALL)}
    for one in fields(ObjectOptions):
        default: Any = one.default if one.default_factory is MISSING else one.default_factory()
        less = replace(ALL, **{one.name: default})
        assert sent != {**content_headers(ref, less), **publishing_headers(less), **sending_headers(less)}, one.name


def test_no_header_contradicts_an_option() -> None:
    """A header that an argument is for cannot be given by ``headers`` too: the error says which argument it is."""
    ref = ObjectRef("bucket", "key")
    sent = {**content_headers(ref, ALL), **publishing_headers(ALL), **sending_headers(ALL)}
    for header in sent.keys() - ALL.headers.keys():
        with pytest.raises(OSSInvalidArgument, match=r"cannot be given: use ([a-z_]+)") as caught:
            parse_options(headers={header: "x"})
        assert str(caught.value).rpartition(" ")[2] in NAMES_OF_ARGUMENTS
