"""The plan of an upload that many workers send: saved before it is begun, found again, and told as plain data."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.planned import Cut, PlannedUpload, RangeResult
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSCheckpointNotSaved,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSPlanOutdated,
    OSSServiceUnavailable,
    OSSSourceElsewhere,
)
from airflow_provider_oss.limits import GIB, MIB
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.group import Group
from tests.support.stores import FailingStore

FORBID = parse_options(forbid_overwrite=True)


@pytest.fixture
def group(scene: Scene) -> Group:
    scene.write(9 * PART + 5)
    return Group(scene)


def test_planned_again_elsewhere(group: Group) -> None:
    """A worker that does not see the file that was planned says so, and another one may go on."""
    group.plan()
    group.scene.path.rename(away := group.scene.path.with_name("away"))
    with pytest.raises(OSSSourceElsewhere, match="is not on this worker"):
        group.plan()
    away.rename(group.scene.path)
    assert group.plan().upload_id == group.scene.store.upload_id


def test_planned_twice(group: Group) -> None:
    """A plan that is made again finds the same upload, and cuts it the same."""
    first = group.plan()
    assert (group.parts, first.parts, first.size) == (["1-3", "4-6", "7-10"], 10, 9 * PART + 5)
    assert group.plan() == first
    assert group.scene.uploads() == [first.upload_id] == [group.scene.store.upload_id]


def test_a_lost_answer(group: Group) -> None:
    """An upload whose beginning was not answered is not left behind."""
    group.scene.server.faults.add(Fault(operation="InitiateMultipartUpload", reset="after", times=1))
    planned = group.plan()
    assert group.scene.uploads() == [planned.upload_id]


def test_a_damaged_id(group: Group) -> None:
    """An upload id that was damaged on its way does not reach the tasks that send, and nothing of it is left."""
    ref, damaged = group.scene.ref, "A" * 32
    root = "InitiateMultipartUploadResult"
    names = f"<Bucket>{ref.bucket}</Bucket><Key>{quote(ref.key)}</Key><EncodingType>url</EncodingType>"
    answer = f"<{root}>{names}<UploadId>{damaged}</UploadId></{root}>"
    fault = Fault(operation="InitiateMultipartUpload", response_body=answer.encode(), times=1)
    group.scene.server.faults.add(fault)
    with pytest.raises(OSSBadResponse, match=f"does not know the upload id that it gave.*{damaged}"):
        group.plan()
    group.scene.assert_nothing_left()
    assert group.plan().upload_id in group.scene.uploads()


def test_a_token_that_expires_after_the_beginning(group: Group) -> None:
    """With a new token the same upload is planned, not another one."""
    group.scene.server.faults.add(Fault(operation="ListParts", status=403, code="SecurityTokenExpired", times=1))
    planned = group.plan(renew_credentials=lambda: True)
    assert group.scene.uploads() == [planned.upload_id]


def test_a_plan_that_dies_before_its_id_is_saved(group: Group) -> None:
    """What was begun meanwhile is aborted by the next plan: the intent was saved before."""
    store = FailingStore("save", since=2)
    group.scene.server.faults.add(Fault(operation="AbortMultipartUpload", status=500, times=9))
    with pytest.raises((OSSCheckpointNotSaved, OSSServiceUnavailable)):
        group.plan(store=store)
    [lost] = group.scene.uploads()
    group.scene.server.faults.clear()
    group.scene.store.data = store.data
    planned = group.plan()
    assert group.scene.uploads() == [planned.upload_id] != [lost]


def test_other_options(group: Group) -> None:
    """An upload that was begun with other metadata cannot be used: it is aborted, and another one begun."""
    first = group.plan()
    second = group.plan(options=parse_options(meta={"day": "2"}))
    assert group.scene.uploads() == [second.upload_id] != [first.upload_id]


def test_another_size(group: Group) -> None:
    """A source that grew keeps its upload and its parts; the plan says how many there are now."""
    first = group.plan()
    group.scene.write(12 * PART)
    second = group.plan()
    assert (second.upload_id, second.parts) == (first.upload_id, 12)
    assert second.seal != first.seal


def test_one_part(scene: Scene) -> None:
    """A source of one part is an upload like any other, also when it is planned again."""
    data = scene.write(10)
    group = Group(scene)
    assert group.plan() == group.plan()
    group.send_all()
    group.assert_stored(data, group.complete())


def test_no_bytes(scene: Scene) -> None:
    """A source without bytes is stored by its plan; no upload is begun, and what comes after it replaces nothing."""
    data = scene.write(0)
    group = Group(scene, options=parse_options(mime="text/csv"))
    assert group.plan() == group.plan()
    assert (scene.uploads(), group.parts) == ([], ["1-0"])
    group.send_all()
    group.assert_stored(data, group.complete())
    assert scene.client.head_object(scene.ref).content_type == "text/csv"
    scene.client.put_object(scene.ref, b"newer", crc64(b"newer"), parse_options())
    with pytest.raises(OSSPlanOutdated, match="is not the source"):
        group.complete()
    assert scene.object() == b"newer"


def test_a_name_that_is_no_text(scene: Scene) -> None:
    """What the tasks are told is text that any database takes, whatever the file is called."""
    scene.path = scene.path.with_name("\udcff.bin")
    data = scene.write(2 * PART)
    group = Group(scene)
    json.dumps(group.plan().as_dict(), ensure_ascii=False).encode()
    group.send_all()
    group.assert_stored(data, group.complete())


def test_too_many_ranges_of_a_new_upload(group: Group) -> None:
    """So it is where the upload is gone, and the source would be cut otherwise than it was."""
    group.scene.path.write_bytes(b"")
    os.truncate(group.scene.path, 90_000 * MIB)
    large = group.plan(part_size_bytes=None).part_size
    group.scene.client.abort_multipart_upload(group.scene.ref, group.upload.upload_id)
    os.truncate(group.scene.path, 900 * MIB)
    with pytest.raises(OSSInvalidArgument, match="max_ranges is 100"):
        group.plan(part_size_bytes=None, cut=Cut(range_size_bytes=large, most=100))
    assert group.scene.uploads() == []


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"ranges": 0}, "ranges=0 is no positive number"),
        ({"range_size_bytes": -5}, "range_size=-5 is no positive number"),
        ({"most": 0}, "max_ranges=0 is no positive number"),
        ({"ranges": 2, "range_size_bytes": 5}, "give either ranges or range_size, not both"),
    ],
)
def test_wrong_cuts(wanted: dict[str, int], complaint: str) -> None:
    """What says nothing is refused."""
    with pytest.raises(OSSInvalidArgument, match=complaint):
        Cut(**wanted)


def test_the_remedy_for_too_many_ranges() -> None:
    """The size that the error names is enough."""
    upload = planned(size=10_001 * MIB, part_size=MIB + 1)
    for most in (1, 3, 7, 999):
        with pytest.raises(OSSInvalidArgument) as caught:
            Cut(range_size_bytes=1, most=most)(upload.plan)
        told = re.search(r"range_size be at least (\d+)", str(caught.value))
        assert told is not None
        assert len(Cut(range_size_bytes=int(told[1]), most=most)(upload.plan)) <= most


def test_an_object_in_the_way(group: Group) -> None:
    """One that must not be overwritten is compared when it has the size; else the plan fails at once."""
    data = group.scene.path.read_bytes()
    group.options = FORBID
    group.scene.client.put_object(group.scene.ref, b"other", crc64(b"other"), parse_options())
    with pytest.raises(OSSObjectAlreadyExists):
        group.plan()
    group.scene.client.put_object(group.scene.ref, data, crc64(data), parse_options())
    group.scene.server.forget_requests()
    result = group.run()
    assert (group.scene.sent(), result.bytes_sent, result.bytes_verified) == ([], 0, len(data))
    group.assert_stored(data, result)
    group.scene.path.write_bytes(data[:-1] + b"?")
    with pytest.raises(OSSObjectAlreadyExists, match="is another object than the source"):
        group.run()
    assert group.scene.object() == data
    assert group.scene.uploads() == []


def test_too_many_ranges(group: Group) -> None:
    """What cannot be cut as it is wanted is refused before anything is begun, or dropped."""
    first = group.plan()
    with pytest.raises(OSSInvalidArgument, match="make 10 ranges, and max_ranges is 9"):
        group.plan(cut=Cut(range_size_bytes=1, most=9), options=parse_options(meta={"a": "b"}))
    assert group.scene.uploads() == [first.upload_id]


def test_no_file(scene: Scene) -> None:
    """A file that is missing when it is planned fails at once, and nothing is begun."""
    with pytest.raises(OSSInvalidSource, match="does not exist"):
        Group(scene).plan()
    assert scene.requests() == []


@pytest.mark.parametrize(
    ("ranges", "range_size", "count"),
    [(100, None, 100), (1, None, 1), (None, None, 8), (None, 1, 1024), (None, 64 * GIB, 2), (20_000, None, 1024)],
)
def test_cut(ranges: int | None, range_size: int | None, count: int) -> None:
    """Ranges have all parts in order, each once, and differ by one part at most."""
    upload = planned(size=10_000 * 10 * MIB, part_size=10 * MIB)
    cut = Cut(ranges, range_size)
    if count == 1024:
        with pytest.raises(OSSInvalidArgument, match="max_ranges is 1024: let range_size be at least 104857600"):
            cut(upload.plan)
        return
    found = cut(upload.plan)
    assert [part for one in found for part in one] == list(upload.plan)
    sizes = {one.count for one in found}
    assert len(found) == count
    assert max(sizes) - min(sizes) <= 1
    assert all(upload.range(str(one)) == one for one in found)


def planned(**facts: Any) -> PlannedUpload:
    size, part_size = facts.get("size", 100), facts.get("part_size", 10)
    usual = {
        "bucket": "exports",
        "key": "key",
        "upload_id": "U1",
        "size": size,
        "part_size": part_size,
        "parts": -(-size // part_size),
        "source": "/data/dump",
        "fingerprint": "f",
        "options": "o",
        "created_at": "2026-11-30T00:00:00+00:00",
    }
    return PlannedUpload(**(usual | facts))


@pytest.mark.parametrize("text", ["", "0-1", "1-11", "3-2", "1", "1-2,3", "-1-2", "1-0", "\u0661-\u0662", 1, None])
def test_what_is_no_range(text: Any) -> None:
    """A text that is none of the upload's ranges is refused, with the right form."""
    with pytest.raises(OSSInvalidArgument, match="no range of the 10 parts of oss://exports/key, such as '1-400'"):
        planned().range(text)


@pytest.mark.parametrize("name", sorted(planned().as_dict()))
def test_what_was_edited(name: str) -> None:
    """A record of which anything was changed, or left out, is refused."""
    record = planned().as_dict()
    value = record[name] + (1 if isinstance(record[name], int) else "x")
    for wrong in (record | {name: value}, {key: one for key, one in record.items() if key != name}):
        with pytest.raises(OSSInvalidArgument, match="is not what a task of this package has returned"):
            PlannedUpload.parse("upload", wrong)


@pytest.mark.parametrize("given", [None, "1-2", [], {}, {"seal": {1, 2}}, planned().as_dict()])
def test_what_is_no_result(given: Any) -> None:
    """What another task has returned is no result of a range."""
    with pytest.raises(OSSInvalidArgument, match=r"results=.* is not what a task of this package has returned"):
        RangeResult.parse("results", given)
