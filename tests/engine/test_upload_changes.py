"""A source that changes: between two attempts, and during one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSSourceChanged
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Part
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import InterferingClient
from tests.support.sources import edit_unnoticed, some_bytes


@both_ways
def test_edited_in_place(scene: Scene) -> None:
    """With size and mtime as before, exactly the parts whose bytes changed are sent again."""
    scene.write(6 * PART)
    scene.stop_at_part(5)
    edit_unnoticed(scene.path, PART + 7, b"edited")
    edit_unnoticed(scene.path, 3 * PART - 1, b"ed")

    result = scene.run()

    assert scene.sent() == [2, 3, 4, 5, 6]
    assert result.bytes_verified == PART
    assert scene.object() == scene.path.read_bytes()
    scene.assert_nothing_left()


@both_ways
def test_one_byte_of_one_part(scene: Scene) -> None:
    """One changed byte costs one part."""
    scene.write(6 * PART)
    scene.stop_at_part(6)
    edit_unnoticed(scene.path, 2 * PART, bytes([scene.path.read_bytes()[2 * PART] ^ 1]))

    scene.run()

    assert scene.sent() == [3, 6]
    assert scene.object() == scene.path.read_bytes()


@both_ways
@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (6 * PART, 8 * PART, [5, 6, 7, 8]),
        (6 * PART, 8 * PART + 1, [5, 6, 7, 8, 9]),
        (4 * PART + 10, 4 * PART + 20, [5]),
        (6 * PART, 5 * PART, [5]),
        (6 * PART, 3 * PART, []),
        (6 * PART, 3 * PART + 10, [4]),
        (6 * PART, 3 * PART - 10, [3]),
        (6 * PART, PART + 1, [2]),
    ],
)
def test_longer_or_shorter(scene: Scene, before: int, after: int, sent: list[int]) -> None:
    """A file that grew or shrank keeps the parts that it still has in full; parts past its end are dropped."""
    scene.write(before)
    scene.stop_at_part(5)
    data = scene.write(max(before, after))[:after]
    os.truncate(scene.path, after)

    result = scene.run()

    assert scene.sent() == sent
    assert scene.object() == data
    assert result.size == after == result.bytes_sent + result.bytes_verified
    scene.assert_nothing_left()


@both_ways
@pytest.mark.parametrize("size_bytes", [PART, PART - 1, 1, 0])
def test_shortened_to_one_part(scene: Scene, size_bytes: int) -> None:
    """A file that now fits one part is stored by one request, and the old upload is aborted."""
    scene.write(6 * PART)
    checkpoint = scene.stop_at_part(5)
    os.truncate(scene.path, size_bytes)

    result = scene.run()

    assert scene.operations()[:2] == ["AbortMultipartUpload", "PutObject"]
    assert scene.requests("AbortMultipartUpload")[0].upload_id == checkpoint.upload_id
    assert scene.object() == scene.path.read_bytes()
    assert (result.size, result.attempts, result.resumed) == (size_bytes, 2, False)
    scene.assert_nothing_left()


@both_ways
def test_replaced(scene: Scene) -> None:
    """A file that holds something else altogether is sent whole, in the same upload."""
    scene.write(6 * PART)
    scene.stop_at_part(5)
    data = scene.write(6 * PART, seed=1)

    result = scene.run()

    assert scene.sent() == [1, 2, 3, 4, 5, 6]
    assert (result.resumed, result.bytes_verified) == (False, 0)
    assert scene.requests("InitiateMultipartUpload") == []
    assert scene.object() == data
    scene.assert_nothing_left()


@both_ways
def test_grown_without_a_wished_part_size(scene: Scene) -> None:
    """A grown file keeps the part size that was chosen when it was smaller, so nothing is sent twice."""
    settings = replace(scene.settings, part_size_bytes=None)
    scene.write(16 * MIB)
    scene.stop_at_part(2, settings=replace(settings, parallel=1))
    data = scene.write(17 * MIB)

    scene.run(settings=settings)

    assert scene.sent() == [2, 3]
    assert scene.object() == data


def during(change: Callable[[Path], Any], scene: Scene) -> Callable[..., None]:
    """Return a progress callback that changes the file once, when the first part is stored."""
    changes = [change]

    def on_progress(*_: object) -> None:
        if changes:
            changes.pop()(scene.path)

    return on_progress


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(some_bytes(10, seed=2))


def replace_whole(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(some_bytes(8 * PART, seed=3))
    other.replace(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: edit_unnoticed(path, 0, b"edited"),
        lambda path: edit_unnoticed(path, 8 * PART - 1, b"e"),
        append,
        replace_whole,
        lambda path: os.truncate(path, 7 * PART),
        lambda path: os.truncate(path, 10),
    ],
)
def test_during_an_attempt(scene: Scene, change: Callable[[Path], Any]) -> None:
    """A file that changes while it is sent fails the attempt, publishes nothing, and the next attempt ends well."""
    scene.write(8 * PART)
    settings = replace(scene.settings, parallel=1)

    with pytest.raises(OSSSourceChanged):
        scene.run(progress=during(change, scene), settings=settings)
    assert scene.requests("CompleteMultipartUpload") == []
    result = scene.run(settings=settings)

    assert scene.object() == scene.path.read_bytes()
    assert result.attempts == 2
    scene.assert_nothing_left()


def test_deleted_during_an_attempt(scene: Scene) -> None:
    """A file that goes away while it is sent fails the attempt; what is stored stays for the next one."""
    scene.write(8 * PART)

    with pytest.raises(OSSSourceChanged, match="went away"):
        scene.run(progress=during(lambda path: path.unlink(), scene))
    data = scene.write(8 * PART)
    scene.server.forget_requests()
    result = scene.run()

    assert scene.sent() == []
    assert result.bytes_verified == 8 * PART
    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_small_file_that_changes(scene: Scene) -> None:
    """A file of one part that changes while it is read is not stored at all."""
    scene.write(10)

    class Touching:
        """A source that is edited right after it was read."""

        def open(self) -> Any:
            source: Any = scene.upload().source
            reader = source.open()
            data = reader.data

            def edit_then_read(part: Part) -> Any:
                edit_unnoticed(scene.path, 0, b"edited")
                return data(part)

            reader.data = edit_then_read
            return reader

    with pytest.raises(OSSSourceChanged):
        scene.run(source=Touching())

    assert scene.operations() == []


@both_ways
def test_a_small_file_that_changes_while_it_is_sent(scene: Scene) -> None:
    """What was read is what is stored, in one piece."""
    data = scene.write(10)
    client = InterferingClient(scene.client, "put_object", lambda: edit_unnoticed(scene.path, 0, b"edited"))

    scene.run(client=client)

    assert scene.path.read_bytes() != data
    assert scene.object() == data


def test_a_part_that_changes_while_it_is_sent(scene: Scene) -> None:
    """A part that OSS got otherwise than it was read is no part of the object: the next attempt replaces it."""
    scene.write(3 * PART)
    client = InterferingClient(scene.client, "upload_part", lambda: edit_unnoticed(scene.path, 0, b"edited"))

    with pytest.raises(OSSSourceChanged):
        scene.run(client=client, settings=replace(scene.settings, parallel=1))

    scene.run()
    assert scene.object() == scene.path.read_bytes()
    scene.assert_nothing_left()


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_part_that_is_cut_short_while_it_is_sent(scene: Scene, parallel: int) -> None:
    """A file that ends in the middle of a part says so; what was begun is not taken for a part."""
    data = scene.write(3 * PART)
    client = InterferingClient(scene.client, "upload_part", lambda: os.truncate(scene.path, PART // 2))

    with pytest.raises(OSSSourceChanged, match=r"ended at byte|changed while it was read"):
        scene.run(client=client, settings=replace(scene.settings, parallel=parallel))

    scene.path.write_bytes(data)
    scene.run()
    assert scene.object() == data
    scene.assert_nothing_left()
