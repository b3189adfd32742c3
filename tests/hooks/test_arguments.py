"""What is given to the hook's methods: a wrong type or value is an error that names it, and nothing is sent."""

from __future__ import annotations

import inspect
import io
from array import array
from enum import Enum
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from airflow_provider_oss.declared import KINDS, arguments_of
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from tests.hooks.support import read

PACKAGE = "airflow_provider_oss."
VALUES = (None, 5, 2.5, True, b"bytes", object(), {"a": "b"}, object)
"""One or another of these is wrong for each argument."""


def methods() -> dict[str, FunctionType]:
    """Return the public methods that take something."""
    found = {name: inspect.unwrap(each) for name, each in inspect.getmembers(OSSHook, inspect.isfunction)}
    own = {name: each for name, each in found.items() if each.__module__.startswith(PACKAGE) and arguments_of(each)}
    return {name: each for name, each in own.items() if not name.startswith(("_", "resolve"))}


def usual(hook: OSSHook, name: str) -> dict[str, Any]:
    """Return arguments without which the method cannot be called. Those of wrong types are found first."""
    parameters = inspect.signature(getattr(hook, name)).parameters.values()
    return {
        each.name: "oss://exports/a"
        for each in parameters
        if each.default is each.empty and each.kind != each.VAR_KEYWORD
    }


def test_wrong_types(hook: OSSHook, server: OSSEmulator) -> None:
    """Each argument of each method is refused when it is of a type that it cannot have."""
    tried = 0
    for name, method in methods().items():
        for field, annotation in arguments_of(method).items():
            for value in VALUES:
                if any(one.head not in KINDS or KINDS[one.head].holds(value) for one in annotation):
                    continue
                tried += 1
                with pytest.raises(OSSInvalidArgument) as caught:
                    list(
                        getattr(hook, name)(
                            **{field: value} | {k: v for k, v in usual(hook, name).items() if k != field}
                        )
                    )
                assert ": give " in str(caught.value), (name, field, value)
    assert tried > 300
    assert server.requests == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "data=None is a NoneType: give bytes or text"),
        (5, "data=5 is an int"),
        (io.BytesIO(b"a"), "data is a BytesIO: give bytes or text"),
        (["a"], "data is a list"),
        (memoryview(b"abcd")[::2], "whose bytes lie apart: give bytes"),
        ("\ud800", "data cannot be written as UTF-8"),
    ],
    ids=["None", "number", "file", "list", "apart", "no text"],
)
def test_data_that_is_none(hook: OSSHook, server: OSSEmulator, data: Any, message: str) -> None:
    """What is neither text nor bytes one after the other is refused."""
    with pytest.raises(OSSInvalidArgument, match=message):
        hook.put_object("a", data)
    with pytest.raises(OSSInvalidArgument, match="data"):
        hook.upload_part("a", "id", 1, data)
    assert server.requests == ()


@pytest.mark.parametrize(
    "data",
    [array("I", range(100)), memoryview(array("d", [1.5, 2.5])), memoryview(bytes(12)).cast("B", (3, 4))],
    ids=type,
)
def test_data_of_other_items(hook: OSSHook, data: Any) -> None:
    """What has items of several bytes, or several dimensions, is stored whole."""
    hook.put_object("a", data)
    assert read(hook, "a") == bytes(data)


def test_numbers_and_sizes_as_text(hook: OSSHook, file: Path) -> None:
    """Numbers may be text, and sizes have units."""
    assert hook.put_stream("a", io.BytesIO(b"x" * 10_000), content_length="10000").size == 10_000
    hook.upload_file("b", file, part_size="100 KB", parallel="2")
    assert (
        hook.copy_object("b", "c", part_size="100 KiB", parallel="1", multipart_threshold="200 KiB").size == 256 * KIB
    )
    hook.download_file("c", file.with_name("got"), part_size=str(100 * KIB), parallel="3")
    hook.put_object("d", "", traffic_limit="819200")
    assert file.with_name("got").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acl_": "private"}, "there is no option 'acl_': the options are mime, meta, .*callback"),
        ({"forbid_overwrite": "false"}, "forbid_overwrite='false' is a str: give True or False"),
        ({"meta": {"A": "1", "a": "2"}}, "meta key 'a' is given twice"),
        ({"meta": {"a": "1", "x-oss-meta-a": "2"}}, "meta key 'x-oss-meta-a' is given twice"),
        ({"headers": {"Expires": "1", "expires": "2"}}, "headers key 'expires' is given twice"),
        ({"headers": {"\udc80": "1"}}, "is not the name of an HTTP header"),
        ({"meta": {"a": "\udc80"}}, "cannot be written as UTF-8"),
        ({"mime": "\udc80"}, "cannot be written as UTF-8"),
        *[
            ({"headers": {name: "1"}}, f"headers.{name!r}. cannot be given: ")
            for name in (
                *("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization"),
                *("Content-Length", "Host", "Expect", "Date", "Authorization", "If-Match", "Range", "Accept-Encoding"),
                *("x-oss-copy-source", "X-Oss-Copy-Source-Range", "x-oss-metadata-directive", "x-oss-date"),
                *("Cookie", "User-Agent", "Content-MD5", "x-oss-security-token", "x-oss-content-sha256"),
            )
        ],
    ],
    ids=str,
)
def test_options_that_cannot_be(hook: OSSHook, server: OSSEmulator, options: dict[str, Any], message: str) -> None:
    """An option that is not known, given twice, or about the request and not the object, is refused."""
    with pytest.raises(OSSInvalidArgument, match=message):
        hook.put_object("a", b"", **options)
    with pytest.raises(OSSInvalidArgument, match=message):
        hook.initiate_multipart_upload("a", **options)
    assert server.requests == ()


@pytest.mark.parametrize("name", ["Test-Header", "Range-Of-Things", "x-oss-server-side-encryption", "Content-Language"])
def test_other_headers(hook: OSSHook, name: str) -> None:
    """Headers that only look a little like these go to OSS."""
    hook.put_object("a", b"", headers={name: "AES256"})


def test_texts_that_are_no_utf8(hook: OSSHook, server: OSSEmulator) -> None:
    """Text that cannot be written as UTF-8 is refused wherever it is given."""
    for call in (
        lambda: hook.head_object("\udc80"),
        lambda: list(hook.list_objects("\udc80")),
        lambda: list(hook.list_objects("a", delimiter="\udc80")),
        lambda: hook.list_parts("a", "\udc80"),
        lambda: hook.delete_objects(["\udc80"]),
        lambda: hook.read_object("a", if_match="\udc80"),
        lambda: hook.bucket_info("\udc80"),
    ):
        with pytest.raises(OSSInvalidArgument, match=r"UTF-8|not a name OSS allows"):
            call()
    assert server.requests == ()


def test_ranges(hook: OSSHook) -> None:
    """A range is a pair of whole numbers."""
    for byte_range in ((1,), (1, 2, 3), ("0", 1), (0.5, 1), "0-9"):
        with pytest.raises(OSSInvalidArgument, match="byte_range"):
            hook.read_object("a", byte_range=byte_range)  # type: ignore[arg-type]


def test_lengths(hook: OSSHook) -> None:
    """A length is not negative."""
    with pytest.raises(OSSInvalidArgument, match="content_length=-1 is negative"):
        hook.put_stream("a", io.BytesIO(), content_length=-1)


class Name(str, Enum):  # noqa: UP042 - of a StrEnum str() is the text itself
    """Texts as members of an enumeration, which str() shows as ``Name.KEY``."""

    KEY = "exports/daily.csv"
    TYPE = "text/csv"
    ACL = "private"


def test_texts_of_an_enumeration(hook: OSSHook) -> None:
    """A member of one is the text itself, wherever text is meant."""
    hook.put_object(
        Name.KEY, b"x", mime=Name.TYPE, meta={"a": Name.TYPE}, headers={"Cache-Control": Name.KEY}, acl=Name.ACL
    )
    found = hook.head_object("exports/daily.csv")
    assert (found.content_type, found.meta) == ("text/csv", {"a": "text/csv"})
    assert hook.read_object("exports/daily.csv") == b"x"
    assert hook.get_conn().head_object("exports/daily.csv").headers["Cache-Control"] == "exports/daily.csv"
    assert [one.ref.key for one in hook.list_objects(Name.KEY)] == ["exports/daily.csv"]


@pytest.mark.parametrize("name", ["oss_conn_id", "bucket_name", "region"])
def test_the_constructor(name: str) -> None:
    """So is what the hook itself is made of, which reads nothing and would tell of it at its first use."""
    with pytest.raises(OSSInvalidArgument, match=f"{name}=5 is an int: give text"):
        OSSHook(**{name: 5})  # type: ignore[arg-type]


def test_methods_of_users_are_their_own() -> None:
    """A class of the user's own is left alone."""

    class Own(OSSHook):
        def double(self, number: int) -> int:
            return number * 2

    assert Own().double("5") == "55"  # type: ignore[arg-type]
