"""Range headers as OSS reads them, on an object of 1000 bytes."""

from __future__ import annotations

import pytest

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.ranges import ByteRange, read_range

SIZE = 1000


@pytest.mark.parametrize(
    ("text", "by_default", "standard"),
    [
        ("bytes=0-499", ByteRange(0, 500), ByteRange(0, 500)),
        ("bytes=500-", ByteRange(500, 500), ByteRange(500, 500)),
        ("bytes=-200", ByteRange(800, 200), ByteRange(800, 200)),
        ("bytes=0-0", ByteRange(0, 1), ByteRange(0, 1)),
        ("bytes=999-999", ByteRange(999, 1), ByteRange(999, 1)),
        ("bytes=500-2000", None, ByteRange(500, 500)),
        ("bytes=-2000", None, ByteRange(0, 1000)),
        ("bytes=1000-2000", None, "InvalidRange"),
        ("bytes=1000-", None, "InvalidRange"),
        ("bytes=-0", None, "InvalidRange"),
        ("bytes=0-9,20-29", ByteRange(0, 10), ByteRange(0, 10)),
        ("bytes=20-10", None, None),
        ("byte=0-9", None, None),
        ("bytes=-", None, None),
        ("bytes=a-b", None, None),
        ("", None, None),
    ],
)
def test_ranges(text: str, by_default: ByteRange | None, standard: ByteRange | str | None) -> None:
    """A range that does not fit means everything by default; with the standard behaviour it is cut or refused."""
    assert read_range(text, SIZE, standard=False) == by_default
    if isinstance(standard, str):
        with pytest.raises(OSSError, match=standard) as caught:
            read_range(text, SIZE, standard=True)
        assert caught.value.headers == {"Content-Range": "bytes */1000"}
    else:
        assert read_range(text, SIZE, standard=True) == standard


@pytest.mark.parametrize("text", ["bytes=0-0", "bytes=0-", "bytes=-1"])
def test_an_empty_object_has_no_ranges(text: str) -> None:
    """Every range of an empty object means all of it, or is refused where the client wants that."""
    assert read_range(text, 0, standard=False) is None
    with pytest.raises(OSSError, match="InvalidRange"):
        read_range(text, 0, standard=True)


def test_content_range() -> None:
    """The answer's Content-Range names first, last and size."""
    assert ByteRange(10, 5).content_range(SIZE) == "bytes 10-14/1000"
