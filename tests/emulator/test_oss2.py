"""The official Python client oss2 against the local server, with both signature versions."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import oss2
import pytest
from oss2.models import PartInfo, Tagging, TaggingRule

from airflow_provider_oss.emulator import Fault, OSSEmulator
from tests.emulator.support import Client, accept, callback_server, fail

KEYS = [
    "plain.txt",
    "../../etc/passwd",
    "a/../b/./c",
    "folder/",
    "double//slash",
    "space and+plus",
    "percent%20kept",
    "question?mark#hash&ampersand=equals",
    "uploads",
    "中文/日本語/😀.bin",
    "quote\"'<tag>",
    "tilde~dot.dash-under_",
    "x" * 1023,
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_an_object_comes_back_under_every_key(bucket: oss2.Bucket, key: str) -> None:
    """Whatever the key looks like, the object is stored, listed and read under exactly this key."""
    bucket.put_object(key, b"content of " + key.encode())
    assert bucket.get_object(key).read() == b"content of " + key.encode()
    assert [found.key for found in oss2.ObjectIterator(bucket)] == [key]
    assert bucket.object_exists(key)
    bucket.delete_object(key)
    assert not bucket.object_exists(key)


def test_put_answers_etag_and_checksum(bucket: oss2.Bucket) -> None:
    """PutObject answers the MD5 as ETag and the CRC-64 that oss2 computes itself."""
    result = bucket.put_object("a", b"123456789")
    assert result.etag == "25F9E794323B453885F5181F1B624D0B"
    assert result.crc == 11051210869376104954
    assert len(result.request_id) == 24
    assert result.request_id == result.request_id.upper()


def test_metadata_is_kept(bucket: oss2.Bucket) -> None:
    """User metadata and the standard headers of a put come back with head and get."""
    given = {
        "x-oss-meta-owner": "data team",
        "Content-Type": "text/csv",
        "Cache-Control": "no-cache",
        "Content-Disposition": "attachment",
        "Content-Encoding": "utf-8",
        "Expires": "Fri, 28 Feb 2032 05:38:42 GMT",
        "x-oss-storage-class": "IA",
        "x-oss-server-side-encryption": "AES256",
    }
    put = bucket.put_object("a", b"x", headers=given)
    assert put.headers["x-oss-server-side-encryption"] == "AES256"
    head = bucket.head_object("a")
    assert {name: head.headers[name] for name in given} == given
    assert head.object_type == "Normal"
    assert head.content_length == 1
    meta = bucket.get_object_meta("a")
    assert meta.content_length == 1
    assert "Content-Type" not in meta.headers
    assert "x-oss-meta-owner" not in meta.headers


def test_a_generator_is_sent_chunked(bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """A stream of unknown length arrives whole in chunked transfer encoding."""

    def blocks() -> Iterator[bytes]:
        for index in range(50):
            yield bytes([index]) * 10_000

    bucket.put_object("stream", blocks())
    assert bucket.get_object("stream").read() == b"".join(bytes([index]) * 10_000 for index in range(50))
    assert server.requests[0].bytes_received == 500_000


def test_an_empty_object(bucket: oss2.Bucket) -> None:
    """An empty body, which oss2 sends chunked, becomes an object of no bytes with CRC-64 0."""
    assert bucket.put_object("empty", b"").crc == 0
    assert bucket.get_object("empty").read() == b""
    assert bucket.head_object("empty").content_length == 0


def test_append(bucket: oss2.Bucket) -> None:
    """Appends grow one object; its CRC-64 is of the whole, and oss2 checks it on the way."""
    first = bucket.append_object("log", 0, b"12345", init_crc=0)
    second = bucket.append_object("log", first.next_position, b"6789", init_crc=first.crc)
    assert second.next_position == 9
    assert second.crc == 11051210869376104954
    found, head = bucket.get_object("log"), bucket.head_object("log")
    assert found.read() == b"123456789"
    assert head.object_type == "Appendable"
    assert {answer.headers["x-oss-next-append-position"] for answer in (found, head)} == {"9"}


def test_what_later_appends_say(bucket: oss2.Bucket) -> None:
    """What an object is was said with its first append; later ones may say anything."""
    bucket.append_object("log", 0, b"12345", headers={"x-oss-meta-a": "1"})
    too_many = "&".join(f"k{number}=v" for number in range(11))
    bucket.append_object("log", 5, b"6789", headers={"x-oss-meta-a": "2", "x-oss-tagging": too_many})
    assert bucket.head_object("log").headers["x-oss-meta-a"] == "1"
    assert bucket.get_object("log").read() == b"123456789"


def test_append_at_a_wrong_position(bucket: oss2.Bucket) -> None:
    """An append elsewhere than at the end is refused and told where the end is."""
    bucket.append_object("log", 0, b"12345")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as caught:
        bucket.append_object("log", 3, b"x")
    assert caught.value.next_position == 5


def test_append_to_a_normal_object(bucket: oss2.Bucket) -> None:
    """What was put cannot be appended to."""
    bucket.put_object("a", b"x")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        bucket.append_object("a", 1, b"x")


def upload_parts(bucket: oss2.Bucket, key: str, upload_id: str, parts: list[bytes]) -> list[PartInfo]:
    """Upload the parts, numbered from 1."""
    infos = []
    for number, part in enumerate(parts, 1):
        result = bucket.upload_part(key, upload_id, number, part)
        infos.append(PartInfo(number, result.etag, size=len(part), part_crc=result.crc))
    return infos


def test_multipart(bucket: oss2.Bucket) -> None:
    """Parts become one object whose CRC-64, which oss2 checks, is that of the whole, and the upload id dies."""
    parts = [random.Random(index).randbytes(5_000) for index in range(3)] + [b"end"]
    upload_id = bucket.init_multipart_upload("big", headers={"x-oss-meta-a": "b", "Content-Type": "text/x"}).upload_id
    infos = upload_parts(bucket, "big", upload_id, parts)
    result = bucket.complete_multipart_upload("big", upload_id, infos)
    assert result.etag.endswith("-4")
    head = bucket.head_object("big")
    assert head.object_type == "Multipart"
    assert head.headers["x-oss-meta-a"] == "b"
    assert head.content_type == "text/x"
    assert bucket.get_object("big").read() == b"".join(parts)
    assert bucket.get_object("big", byte_range=(4_990, 10_010)).read() == b"".join(parts)[4_990:10_011]
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        bucket.complete_multipart_upload("big", upload_id, infos)


def test_listed_parts(bucket: oss2.Bucket) -> None:
    """ListParts gives number, size and ETag in ascending order, page by page, whatever the order of arrival."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    for number in (30, 2, 11, 1):
        bucket.upload_part("big", upload_id, number, b"x" * number)
    page = bucket.list_parts("big", upload_id, max_parts=3)
    assert [part.part_number for part in page.parts] == [1, 2, 11]
    assert page.is_truncated
    page = bucket.list_parts("big", upload_id, marker=page.next_marker)
    assert [(part.part_number, part.size) for part in page.parts] == [(30, 30)]
    assert not page.is_truncated
    assert [part.size for part in oss2.PartIterator(bucket, "big", upload_id, max_parts=1)] == [1, 2, 11, 30]


def test_a_part_is_replaced(bucket: oss2.Bucket) -> None:
    """The last upload of a number counts, and a Complete with the older ETag is refused."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    old = bucket.upload_part("big", upload_id, 1, b"old")
    new = bucket.upload_part("big", upload_id, 1, b"new!")
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidPart"):
        bucket.complete_multipart_upload("big", upload_id, [PartInfo(1, old.etag)])
    bucket.complete_multipart_upload("big", upload_id, [PartInfo(1, new.etag)])
    assert bucket.get_object("big").read() == b"new!"


def test_complete_with_a_subset(bucket: oss2.Bucket) -> None:
    """Numbers may have gaps, and parts that are not listed are dropped."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    etags = {number: bucket.upload_part("big", upload_id, number, b"%010d" % number).etag for number in (1, 5, 9)}
    bucket.complete_multipart_upload("big", upload_id, [PartInfo(1, etags[1]), PartInfo(9, etags[9])])
    assert bucket.get_object("big").read() == b"00000000010000000009"


def test_complete_all(bucket: oss2.Bucket) -> None:
    """With x-oss-complete-all and no body, the server takes the parts it has."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    for number in (2, 1):
        bucket.upload_part("big", upload_id, number, b"%010d" % number)
    bucket.complete_multipart_upload("big", upload_id, None, headers={"x-oss-complete-all": "yes"})
    assert bucket.get_object("big").read() == b"00000000010000000002"


def test_complete_all_refuses_a_body(bucket: oss2.Bucket) -> None:
    """x-oss-complete-all together with a list of parts is an invalid argument."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    infos = upload_parts(bucket, "big", upload_id, [b"part"])
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.complete_multipart_upload("big", upload_id, infos, headers={"x-oss-complete-all": "yes"})


@pytest.mark.parametrize(
    ("sizes", "numbers", "code"),
    [
        ([20, 9, 20], [1, 2, 3], "EntityTooSmall"),
        ([20, 20], [1, 1], "InvalidPartOrder"),
        ([20], [1, 2], "InvalidPart"),
        ([20], [], "MalformedXML"),
    ],
)
def test_complete_refuses(bucket: oss2.Bucket, sizes: list[int], numbers: list[int], code: str) -> None:
    """A list that does not fit the parts is refused, and the upload stays as it was."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    infos = {info.part_number: info for info in upload_parts(bucket, "big", upload_id, [b"x" * size for size in sizes])}
    listed = [infos.get(number, PartInfo(number, "0" * 32)) for number in numbers]
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket.complete_multipart_upload("big", upload_id, listed)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert len(bucket.list_parts("big", upload_id).parts) == len(sizes)


def test_the_order_of_parts(bucket: oss2.Bucket, client: Client) -> None:
    """Parts that are not listed in ascending order are refused; oss2 itself would sort them."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    infos = upload_parts(bucket, "big", upload_id, [b"x" * 20, b"y" * 20])
    listed = "".join(f"<Part><PartNumber>{i.part_number}</PartNumber><ETag>{i.etag}</ETag></Part>" for i in infos[::-1])
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    answer = client.send("POST", "big", {"uploadId": upload_id}, body=body)
    assert (answer.status, answer.code) == (400, "InvalidPartOrder")


def test_abort(bucket: oss2.Bucket) -> None:
    """An aborted upload is dead for every multipart call."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    part = bucket.upload_part("big", upload_id, 1, b"x")
    assert bucket.abort_multipart_upload("big", upload_id).status == 204
    attempts: tuple[Callable[[], object], ...] = (
        lambda: bucket.upload_part("big", upload_id, 1, b"x"),
        lambda: bucket.list_parts("big", upload_id),
        lambda: bucket.complete_multipart_upload("big", upload_id, [PartInfo(1, part.etag)]),
        lambda: bucket.abort_multipart_upload("big", upload_id),
    )
    for attempt in attempts:
        with pytest.raises(oss2.exceptions.NoSuchUpload):
            attempt()


def test_an_upload_belongs_to_its_key(bucket: oss2.Bucket) -> None:
    """An upload id under another key is unknown."""
    upload_id = bucket.init_multipart_upload("big").upload_id
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        bucket.upload_part("other", upload_id, 1, b"x")


def test_listed_uploads(bucket: oss2.Bucket) -> None:
    """Unfinished uploads are listed by key, then by id, page by page, and rolled up by delimiter."""
    uploads = [(key, bucket.init_multipart_upload(key).upload_id) for key in ("b", "a/2", "c", "a/1", "b")]
    listed = [(found.key, found.upload_id) for found in oss2.MultipartUploadIterator(bucket, max_uploads=2)]
    assert listed == sorted(uploads)
    rolled_up = bucket.list_multipart_uploads(delimiter="/")
    assert rolled_up.prefix_list == ["a/"]
    assert [found.key for found in rolled_up.upload_list] == ["b", "b", "c"]
    below = bucket.list_multipart_uploads(prefix="a/")
    assert [found.key for found in below.upload_list] == ["a/1", "a/2"]
    assert (below.is_truncated, below.next_key_marker) == (False, "a/2")
    assert below.next_upload_id_marker == below.upload_list[-1].upload_id
    of_one_key = [found.upload_id for found in oss2.ObjectUploadIterator(bucket, "b", max_uploads=1)]
    assert of_one_key == sorted(upload_id for key, upload_id in uploads if key == "b")


def test_a_resumable_upload_continues(bucket_v1: oss2.Bucket, server: OSSEmulator, tmp_path: Path) -> None:
    """oss2's own resumable upload, interrupted by a reset, sends only the missing parts the next time."""
    data = random.Random(1).randbytes(1_000_000)
    (tmp_path / "file").write_bytes(data)
    store = oss2.ResumableStore(root=str(tmp_path))
    server.faults.add(Fault(operation="UploadPart", part_number=7, reset="before"))

    def upload() -> None:
        path = str(tmp_path / "file")
        oss2.resumable_upload(
            bucket_v1, "big", path, store=store, multipart_threshold=1, part_size=102_400, num_threads=1
        )

    with pytest.raises(oss2.exceptions.RequestError):
        upload()
    server.faults.clear()
    server.forget_requests()
    upload()
    sent = [found.part_number for found in server.requests if found.operation == "UploadPart"]
    assert 7 in sent
    assert 1 not in sent
    assert bucket_v1.get_object("big").read() == data


def test_upload_part_copy(bucket: oss2.Bucket) -> None:
    """A part may be a range of an object, and a Complete folds it in like any other."""
    bucket.put_object("source &+?", b"0123456789" * 10)
    upload_id = bucket.init_multipart_upload("copy").upload_id
    first = bucket.upload_part_copy("exports", "source &+?", (10, 19), "copy", upload_id, 1)
    second = bucket.upload_part_copy("exports", "source &+?", None, "copy", upload_id, 2)
    infos = [PartInfo(1, first.etag), PartInfo(2, second.etag)]
    bucket.complete_multipart_upload("copy", upload_id, infos)
    assert bucket.get_object("copy").read() == b"0123456789" * 11
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidArgument"):
        bucket.upload_part_copy(
            "exports", "source &+?", (10, 100), "copy", bucket.init_multipart_upload("copy").upload_id, 1
        )


def test_copy(bucket: oss2.Bucket) -> None:
    """A copy has the bytes and the metadata of its source, or the metadata of the request when that is asked for."""
    bucket.put_object("source +&?ü", b"x", headers={"x-oss-meta-a": "1", "x-oss-tagging": "t=1"})
    assert bucket.copy_object("exports", "source +&?ü", "copy").etag == bucket.head_object("source +&?ü").etag
    assert bucket.get_object("copy").read() == b"x"
    assert bucket.head_object("copy").headers["x-oss-meta-a"] == "1"
    assert bucket.get_object_tagging("copy").tag_set.tagging_rule == {"t": "1"}
    replaced = {"x-oss-metadata-directive": "REPLACE", "x-oss-meta-b": "2", "x-oss-tagging-directive": "Replace"}
    bucket.copy_object("exports", "source +&?ü", "copy", headers=replaced)
    head = bucket.head_object("copy")
    assert "x-oss-meta-a" not in head.headers
    assert head.headers["x-oss-meta-b"] == "2"
    assert bucket.get_object_tagging("copy").tag_set.tagging_rule == {}
    bucket.delete_object("source +&?ü")
    assert bucket.get_object("copy").read() == b"x"


def test_copy_onto_itself(bucket: oss2.Bucket) -> None:
    """Copying an object onto itself changes its metadata and keeps its bytes."""
    bucket.put_object("a", b"bytes", headers={"Content-Type": "text/csv", "x-oss-meta-a": "1"})
    bucket.copy_object("exports", "a", "a", headers={"x-oss-metadata-directive": "REPLACE", "x-oss-meta-a": "2"})
    assert bucket.head_object("a").headers["x-oss-meta-a"] == "2"
    assert bucket.head_object("a").headers["Content-Type"] == "text/csv"
    assert bucket.get_object("a").read() == b"bytes"


def test_copy_conditions(bucket: oss2.Bucket) -> None:
    """The conditions of a copy are held against its source."""
    etag = bucket.put_object("a", b"x").etag
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        bucket.copy_object("exports", "a", "b", headers={"x-oss-copy-source-if-match": "0" * 32})
    with pytest.raises(oss2.exceptions.NotModified):
        bucket.copy_object("exports", "a", "b", headers={"x-oss-copy-source-if-none-match": etag})
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.copy_object("exports", "absent", "b")
    assert not bucket.object_exists("b")


def test_ranges_are_on_record(server: OSSEmulator, bucket: oss2.Bucket) -> None:
    """The record of a request says which range was asked for, of an object or of the source of a copied part."""
    bucket.put_object("a", b"0123456789")
    bucket.get_object("a", byte_range=(2, 5)).read()
    upload_id = bucket.init_multipart_upload("b").upload_id
    bucket.upload_part_copy("exports", "a", (3, 7), "b", upload_id, 1)
    ranges = {request.operation: request.range for request in server.requests}
    assert (ranges["PutObject"], ranges["GetObject"], ranges["UploadPartCopy"]) == ("", "bytes=2-5", "bytes=3-7")


def test_conditions(bucket: oss2.Bucket) -> None:
    """Conditions that fail are 412 or 304, and conditions that hold change nothing."""
    etag = bucket.put_object("a", b"x").etag
    past, future = "Sat, 05 Dec 2015 11:10:29 GMT", "Fri, 28 Feb 2098 05:38:42 GMT"
    for headers in ({"If-Match": "0" * 32}, {"If-Unmodified-Since": past}):
        with pytest.raises(oss2.exceptions.PreconditionFailed):
            bucket.get_object("a", headers=headers)
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": future}):
        with pytest.raises(oss2.exceptions.NotModified):
            bucket.get_object("a", headers=headers)
    holding = {"If-Match": f'"{etag}"', "If-Unmodified-Since": future, "If-None-Match": "0" * 32}
    assert bucket.get_object("a", headers=holding).read() == b"x"


def test_ranges(bucket: oss2.Bucket) -> None:
    """A range within the object is 206; one that is not is the whole object, or 416 when the client asks for it."""
    bucket.put_object("a", bytes(range(100)))
    assert bucket.get_object("a", byte_range=(10, 19)).read() == bytes(range(10, 20))
    assert bucket.get_object("a", byte_range=(90, None)).read() == bytes(range(90, 100))
    assert bucket.get_object("a", byte_range=(None, 5)).read() == bytes(range(95, 100))
    whole = bucket.get_object("a", byte_range=(50, 200))
    assert (whole.status, whole.read()) == (200, bytes(range(100)))
    standard = {"x-oss-range-behavior": "standard"}
    part = bucket.get_object("a", byte_range=(50, 200), headers=standard)
    assert (part.status, part.read()) == (206, bytes(range(50, 100)))
    assert part.headers["Content-Range"] == "bytes 50-99/100"
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket.get_object("a", byte_range=(100, 200), headers=standard)
    assert (caught.value.status, caught.value.code) == (416, "InvalidRange")


def test_response_overrides(bucket: oss2.Bucket) -> None:
    """The response-* parameters replace headers of the answer."""
    bucket.put_object("a", b"x")
    params = {"response-content-type": "text/x", "response-content-disposition": 'attachment; filename="a b"'}
    answer = bucket.get_object("a", params=params)
    assert answer.headers["Content-Type"] == "text/x"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a b"'
    answer.read()


def test_list_objects(bucket: oss2.Bucket) -> None:
    """Both listings give the same keys and common prefixes, whatever the size of a page."""
    keys = sorted(["a", "b/1", "b/2", "b/c/3", "d e+f%", "z&<中>", "b0"], key=str.encode)
    for key in keys:
        bucket.put_object(key, key.encode())
    for size in (1, 2, 3, 100):
        assert [found.key for found in oss2.ObjectIterator(bucket, max_keys=size)] == keys
        assert [found.key for found in oss2.ObjectIteratorV2(bucket, max_keys=size)] == keys
        rolled_up = ["a", "b/", "b0", "d e+f%", "z&<中>"]
        assert [found.key for found in oss2.ObjectIterator(bucket, delimiter="/", max_keys=size)] == rolled_up
        assert [found.key for found in oss2.ObjectIteratorV2(bucket, delimiter="/", max_keys=size)] == rolled_up
        below = [found.key for found in oss2.ObjectIterator(bucket, prefix="b/", delimiter="/", max_keys=size)]
        assert below == ["b/1", "b/2", "b/c/"]
    assert [found.key for found in oss2.ObjectIteratorV2(bucket, start_after="b/2", fetch_owner=True)] == keys[3:]
    assert bucket.list_objects_v2(fetch_owner=True).object_list[0].owner.id
    assert bucket.list_objects_v2().object_list[0].owner is None
    first = bucket.list_objects().object_list[0]
    assert (first.key, first.size, first.type, first.storage_class) == ("a", 1, "Normal", "Standard")


def test_batch_delete(bucket: oss2.Bucket) -> None:
    """Deleting many keys at once reports all of them, absent ones too."""
    keys = ["a b", "&<>", "中", "page\x0cbreak\x01", "absent"]
    for key in keys[:4]:
        bucket.put_object(key, b"x")
    assert bucket.batch_delete_objects(keys).deleted_keys == keys
    assert bucket.list_objects().object_list == []


def test_tagging(bucket: oss2.Bucket) -> None:
    """Tags are set, read, counted and removed."""
    bucket.put_object("a", b"x", headers={"x-oss-tagging": "k%201=v%201&%E4%B8%AD%2B-%3D._%3A%2F="})
    assert bucket.get_object_tagging("a").tag_set.tagging_rule == {"k 1": "v 1", "中+-=._:/": ""}
    assert bucket.head_object("a").headers["x-oss-tagging-count"] == "2"
    rule = TaggingRule()
    rule.add("only", "one")
    bucket.put_object_tagging("a", Tagging(rule))
    assert bucket.get_object_tagging("a").tag_set.tagging_rule == {"only": "one"}
    bucket.delete_object_tagging("a")
    assert bucket.get_object_tagging("a").tag_set.tagging_rule == {}


def test_too_many_tags(bucket: oss2.Bucket) -> None:
    """An eleventh tag is refused before anything is stored."""
    tagging = "&".join(f"k{number}=v" for number in range(11))
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidTag"):
        bucket.put_object("a", b"x", headers={"x-oss-tagging": tagging})
    assert not bucket.object_exists("a")


def test_object_acl(bucket: oss2.Bucket) -> None:
    """A new object follows its bucket until it is given an ACL of its own."""
    bucket.put_object("a", b"x")
    assert bucket.get_object_acl("a").acl == "default"
    bucket.delete_bucket_public_access_block()
    bucket.put_object_acl("a", oss2.OBJECT_ACL_PUBLIC_READ)
    assert bucket.get_object_acl("a").acl == "public-read"
    assert bucket.get_object("a").read() == b"x"
    bucket.put_object("b", b"x", headers={"x-oss-object-acl": "private"})
    assert bucket.get_object_acl("b").acl == "private"


def test_forbid_overwrite(bucket: oss2.Bucket) -> None:
    """With x-oss-forbid-overwrite an object that is there is never replaced, by no kind of write."""
    forbid = {"x-oss-forbid-overwrite": "true"}
    bucket.put_object("a", b"first", headers=forbid)
    upload_id = bucket.init_multipart_upload("a").upload_id
    infos = upload_parts(bucket, "a", upload_id, [b"second"])
    attempts: tuple[Callable[[], object], ...] = (
        lambda: bucket.put_object("a", b"second", headers=forbid),
        lambda: bucket.copy_object("exports", "a", "a", headers=forbid),
        lambda: bucket.init_multipart_upload("a", headers=forbid),
        lambda: bucket.complete_multipart_upload("a", upload_id, infos, headers=forbid),
    )
    for attempt in attempts:
        with pytest.raises(oss2.exceptions.ServerError) as caught:
            attempt()
        assert (caught.value.status, caught.value.code, caught.value.ec) == (409, "FileAlreadyExists", "0042-00000214")
    assert bucket.get_object("a").read() == b"first"


def test_archived_objects_cannot_be_read(bucket: oss2.Bucket) -> None:
    """An object of an archive class can be described but not read."""
    bucket.put_object("a", b"x", headers={"x-oss-storage-class": "Archive"})
    assert bucket.head_object("a").headers["x-oss-storage-class"] == "Archive"
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket.get_object("a")
    assert (caught.value.status, caught.value.code) == (403, "InvalidObjectState")


def test_callback(bucket: oss2.Bucket) -> None:
    """After a put and a complete the application is told, and its answer is what the client gets."""
    with callback_server(accept) as application:
        callback = {
            "callbackUrl": application.url,
            "callbackHost": "oss-test",
            "callbackBody": "bucket=${bucket}&object=${object}&size=${size}&etag=${etag}&who=${x:who}",
        }
        headers = {
            "x-oss-callback": encoded(callback),
            "x-oss-callback-var": encoded({"x:who": "a & b"}),
        }
        put = bucket.put_object("a/ü", b"hello", headers=headers)
        assert json.loads(put.resp.response.content or b"{}") in ({}, {"Status": "OK"})
        upload_id = bucket.init_multipart_upload("big").upload_id
        bucket.complete_multipart_upload("big", upload_id, upload_parts(bucket, "big", upload_id, [b"hello"]), headers)
    told = [body.decode() for _, body in application.received]
    assert told[0] == "bucket=exports&object=a%2F%C3%BC&size=5&etag=5D41402ABC4B2A76B9719D911017C592&who=a+%26+b"
    assert told[1].startswith("bucket=exports&object=big&size=5&etag=")
    assert application.received[0][0]["host"] == "oss-test"
    assert application.received[0][0]["content-type"] == "application/x-www-form-urlencoded"


def test_a_failed_callback_stores_the_object(bucket: oss2.Bucket) -> None:
    """When the application fails, the status is 203 and the object is there."""
    with callback_server(fail) as application:
        callback = {"callbackUrl": application.url, "callbackBody": "{}", "callbackBodyType": "application/json"}
        result = bucket.put_object("a", b"hello", headers={"x-oss-callback": encoded(callback)})
    assert result.status == 203
    assert bucket.get_object("a").read() == b"hello"


def test_buckets(bucket_v1: oss2.Bucket, server: OSSEmulator) -> None:
    """Buckets are created, described, listed and, once empty, deleted."""
    service = oss2.Service(bucket_v1.auth, server.endpoint, session=bucket_v1.session)
    other = oss2.Bucket(bucket_v1.auth, server.endpoint, "other-bucket", session=bucket_v1.session)
    other.create_bucket("private", oss2.models.BucketCreateConfig("IA"))
    info = other.get_bucket_info()
    assert (info.name, info.storage_class, info.acl.grant) == ("other-bucket", "IA", "private")
    assert other.get_bucket_location().location == "oss-cn-hangzhou"
    other.delete_bucket_public_access_block()
    other.put_bucket_acl("public-read")
    assert other.get_bucket_acl().acl == "public-read"
    assert [found.name for found in oss2.BucketIterator(service)] == ["exports", "other-bucket"]
    assert [found.name for found in oss2.BucketIterator(service, prefix="o", max_keys=1)] == ["other-bucket"]
    other.put_object("a", b"x")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        other.delete_bucket()
    other.delete_object("a")
    upload_id = other.init_multipart_upload("a").upload_id
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        other.delete_bucket()
    other.abort_multipart_upload("a", upload_id)
    other.delete_bucket()
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        other.delete_bucket()


def test_creating_a_bucket_again(bucket_v1: oss2.Bucket) -> None:
    """The same settings again are fine; another storage class is a conflict."""
    bucket_v1.create_bucket()
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket_v1.create_bucket(input=oss2.models.BucketCreateConfig("Archive"))
    assert (caught.value.status, caught.value.code) == (409, "BucketAlreadyExists")


def test_errors_of_missing_things(bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """What is missing is told apart: the key, also on HEAD, and the bucket."""
    for attempt in (bucket.get_object, bucket.head_object, bucket.get_object_meta, bucket.get_object_acl):
        with pytest.raises(oss2.exceptions.NoSuchKey) as caught:
            attempt("absent")
        assert caught.value.ec == "0026-00000001"
        assert caught.value.request_id
    elsewhere = oss2.Bucket(
        bucket.auth, server.endpoint, "no-such-bucket", session=bucket.session, region="cn-hangzhou"
    )
    for attempt in (elsewhere.get_object, elsewhere.head_object, elsewhere.init_multipart_upload):
        with pytest.raises(oss2.exceptions.NoSuchBucket):
            attempt("a")
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        elsewhere.put_object("a", b"x")


def test_what_is_not_there_is_501(bucket: oss2.Bucket) -> None:
    """What the server lacks is refused, never silently ignored."""
    for attempt in (
        bucket.get_bucket_cors,
        bucket.get_bucket_website,
        bucket.get_bucket_stat,
        lambda: bucket.restore_object("a"),
        lambda: bucket.get_object("a", process="image/resize,w_100"),
    ):
        with pytest.raises(oss2.exceptions.ServerError) as caught:
            attempt()
        assert (caught.value.status, caught.value.code) == (501, "NotImplemented")


def test_a_corrupted_part_fails_the_checksum(bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """A byte that is damaged on its way is found by oss2 in the CRC-64 of the answer."""
    server.faults.add(Fault(operation="UploadPart", part_number=2, corrupt_request_byte=5))
    upload_id = bucket.init_multipart_upload("big").upload_id
    bucket.upload_part("big", upload_id, 1, b"0123456789")
    with pytest.raises(oss2.exceptions.InconsistentError):
        bucket.upload_part("big", upload_id, 2, b"0123456789")


def test_a_corrupted_download_fails_the_checksum(bucket: oss2.Bucket, server: OSSEmulator, tmp_path: Path) -> None:
    """A byte that is damaged on its way back is found by oss2 in the CRC-64 of the headers."""
    bucket.put_object("a", b"0123456789")
    server.faults.add(Fault(operation="GetObject", corrupt_response_byte=3))
    with pytest.raises(oss2.exceptions.InconsistentError):
        bucket.get_object_to_file("a", str(tmp_path / "a"))


def encoded(data: dict[str, str]) -> str:
    """A callback as its header has it."""
    return base64.b64encode(json.dumps(data).encode()).decode()
