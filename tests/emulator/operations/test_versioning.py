"""Object versions through the official clients: written, listed, read, copied, hidden and removed."""

from __future__ import annotations

from typing import Any

import oss2
import pytest
from oss2.models import (
    BatchDeleteObjectVersion,
    BatchDeleteObjectVersionList,
    BucketVersioningConfig,
    Tagging,
    TaggingRule,
)

from tests.emulator.support import Client, send


@pytest.fixture
def versions(bucket: oss2.Bucket) -> oss2.Bucket:
    """The bucket with versioning."""
    bucket.put_bucket_versioning(BucketVersioningConfig("Enabled"))
    return bucket


def listed(bucket: oss2.Bucket, **arguments: Any) -> list[tuple[str, str, bool]]:
    """Key, id and place of all versions, then of all delete markers."""
    found = bucket.list_object_versions(**arguments)
    return [(each.key, each.versionid, each.is_latest) for each in (*found.versions, *found.delete_marker)]


def test_the_state_of_a_bucket(bucket: oss2.Bucket) -> None:
    """A bucket has no versioning until it is enabled, and then it is enabled or suspended for ever."""
    assert bucket.get_bucket_versioning().status is None
    assert bucket.put_object("a", b"x").versionid is None
    for state in ("Enabled", "Suspended"):
        bucket.put_bucket_versioning(BucketVersioningConfig(state))
        assert bucket.get_bucket_versioning().status == state
        assert bucket.get_bucket_info().versioning_status == state
    with pytest.raises(oss2.exceptions.MalformedXml):
        bucket.put_bucket_versioning(BucketVersioningConfig("Disabled"))


def test_every_write_makes_a_version(versions: oss2.Bucket) -> None:
    """Put, append, copy and Complete answer the id of what they made, and each id reads what was written then."""
    upload_id = versions.init_multipart_upload("a").upload_id
    part = versions.upload_part("a", upload_id, 1, b"in parts")
    made = {
        versions.put_object("a", b"put").versionid: b"put",
        versions.complete_multipart_upload("a", upload_id, [oss2.models.PartInfo(1, part.etag)]).versionid: b"in parts",
        versions.copy_object("exports", "a", "a").versionid: b"in parts",
    }
    assert len(made) == 3
    for version_id, data in made.items():
        params = {"versionId": version_id}
        found = versions.get_object("a", params=params)
        assert (found.read(), found.versionid) == (data, version_id)
        assert versions.head_object("a", params=params).versionid == version_id
        assert versions.get_object_meta("a", params=params).versionid == version_id
    assert versions.head_object("a").versionid == list(made)[-1]
    first = versions.append_object("log", 0, b"one")
    second = versions.append_object("log", 3, b"two")
    assert first.versionid == second.versionid
    assert versions.get_object("log", params={"versionId": first.versionid}).read() == b"onetwo"


def test_an_object_from_before(bucket: oss2.Bucket) -> None:
    """What was there before is the version `null`; while versioning is suspended new writes replace that one."""
    bucket.put_object("a", b"before")
    bucket.put_bucket_versioning(BucketVersioningConfig("Enabled"))
    version_id = bucket.put_object("a", b"after").versionid
    assert listed(bucket) == [("a", version_id, True), ("a", "null", False)]
    assert bucket.get_object("a", params={"versionId": "null"}).read() == b"before"
    bucket.put_bucket_versioning(BucketVersioningConfig("Suspended"))
    assert bucket.put_object("a", b"suspended").versionid == "null"
    assert listed(bucket) == [("a", "null", True), ("a", version_id, False)]
    assert bucket.delete_object("a").versionid == "null"
    assert listed(bucket) == [("a", version_id, False), ("a", "null", True)]


def test_a_delete_marker(versions: oss2.Bucket, client: Client) -> None:
    """A deletion hides the object behind a marker, which is no object and can be removed again."""
    version_id = versions.put_object("a", b"x").versionid
    marker = versions.delete_object("a")
    assert marker.delete_marker is True
    for missing in (client.send("GET", "a"), client.send("HEAD", "a")):
        assert (missing.status, missing.headers["x-oss-delete-marker"]) == (404, "true")
    refused = client.send("GET", "a", {"versionId": marker.versionid})
    assert (refused.status, refused.code, refused.headers["x-oss-delete-marker"]) == (405, "MethodNotAllowed", "true")
    assert versions.list_objects().object_list == []
    assert listed(versions) == [("a", version_id, False), ("a", marker.versionid, True)]
    removed = versions.delete_object("a", params={"versionId": marker.versionid})
    assert (removed.versionid, removed.delete_marker) == (marker.versionid, True)
    assert versions.get_object("a").read() == b"x"


def test_a_version_that_is_removed(versions: oss2.Bucket, client: Client) -> None:
    """A version that is removed is gone for good, and the one below is the object then."""
    first, second = versions.put_object("a", b"1").versionid, versions.put_object("a", b"2").versionid
    assert versions.delete_object("a", params={"versionId": second}).versionid == second
    assert versions.get_object("a").read() == b"1"
    gone = client.send("GET", "a", {"versionId": second})
    assert (gone.status, gone.code) == (404, "NoSuchVersion")
    assert client.send("DELETE", "a", {"versionId": second}).status == 204
    assert client.send("GET", "a", {"versionId": ""}).code == "InvalidArgument"
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        versions.delete_bucket()
    versions.delete_object("a", params={"versionId": first})
    versions.delete_bucket()


def test_many_deletions(versions: oss2.Bucket) -> None:
    """Of many deletions those with a version remove it, and the others make markers, of absent keys too."""
    version_id = versions.put_object("a", b"x").versionid
    marked = versions.batch_delete_objects(["a", "absent"])
    assert [each.delete_marker for each in marked.delete_versions] == [True, True]
    made = {each.key: each.delete_marker_versionid for each in marked.delete_versions}
    wanted = BatchDeleteObjectVersionList()
    wanted.append(BatchDeleteObjectVersion("a", version_id))
    wanted.append(BatchDeleteObjectVersion("a", made["a"]))
    wanted.append(BatchDeleteObjectVersion("absent", made["absent"]))
    removed = versions.delete_object_versions(wanted)
    assert [each.versionid for each in removed.delete_versions] == [version_id, made["a"], made["absent"]]
    assert [bool(each.delete_marker) for each in removed.delete_versions] == [False, True, True]
    assert listed(versions) == []


def test_what_a_version_says_of_itself(versions: oss2.Bucket) -> None:
    """Tags and ACL are of one version each."""
    first, second = (versions.put_object("a", data).versionid for data in (b"1", b"2"))
    rule = TaggingRule()
    rule.add("of", "first")
    versions.put_object_tagging("a", Tagging(rule), params={"versionId": first})
    versions.put_object_acl("a", "private", params={"versionId": first})
    tags = [
        versions.get_object_tagging("a", params={"versionId": each}).tag_set.tagging_rule for each in (first, second)
    ]
    assert tags == [{"of": "first"}, {}]
    acls = [versions.get_object_acl("a", params={"versionId": each}).acl for each in (first, second)]
    assert acls == ["private", "default"]
    versions.delete_object_tagging("a", params={"versionId": first})
    assert versions.get_object_tagging("a", params={"versionId": first}).tag_set.tagging_rule == {}


def test_an_acl_of_a_version(versions: oss2.Bucket, client: Client) -> None:
    """What anyone may read is up to the ACL of the version that is asked for."""
    versions.delete_bucket_public_access_block()
    public = versions.put_object("a", b"public", headers={"x-oss-object-acl": "public-read"}).versionid
    private = versions.put_object("a", b"private").versionid
    answers = [
        send(client.server.endpoint, "GET", client.target("a", {"versionId": each})) for each in (public, private)
    ]
    assert [answer.status for answer in answers] == [200, 403]


def test_a_version_as_source(versions: oss2.Bucket) -> None:
    """A version can be copied, as a whole and as a part."""
    first = versions.put_object("a", b"first").versionid
    versions.put_object("a", b"second")
    copied = versions.copy_object("exports", "a", "copy", params={"versionId": first})
    assert copied.headers["x-oss-copy-source-version-id"] == first
    upload_id = versions.init_multipart_upload("copy").upload_id
    part = versions.upload_part_copy("exports", "a", None, "copy", upload_id, 1, params={"versionId": first})
    versions.complete_multipart_upload("copy", upload_id, [oss2.models.PartInfo(1, part.etag)])
    assert [
        versions.get_object("copy", params={"versionId": each}).read() for _, each, _ in listed(versions, prefix="c")
    ] == [
        b"first",
        b"first",
    ]


def test_nothing_is_overwritten(versions: oss2.Bucket) -> None:
    """Where versioning is on nothing can be forbidden to be overwritten."""
    versions.put_object("a", b"1")
    versions.put_object("a", b"2", headers={"x-oss-forbid-overwrite": "true"})
    assert versions.get_object("a").read() == b"2"


def test_pages_of_versions(versions: oss2.Bucket) -> None:
    """The pages of a listing, however small, have every version once, the latest of a key first, and roll up."""
    keys = ["a", "b/1", "b/2", "c"]
    made = {key: [versions.put_object(key, data).versionid for data in (b"1", b"2", b"3")] for key in keys}
    expected = [(key, version_id) for key in keys for version_id in reversed(made[key])]
    for size in (1, 2, 5, 100):
        seen, markers, truncated = [], ("", ""), True
        while truncated:
            page = versions.list_object_versions(max_keys=size, key_marker=markers[0], versionid_marker=markers[1])
            seen += [(each.key, each.versionid) for each in page.versions]
            truncated, markers = page.is_truncated, (page.next_key_marker, page.next_versionid_marker)
        assert seen == expected
    rolled_up = versions.list_object_versions(delimiter="/")
    assert rolled_up.common_prefix == ["b/"]
    assert [each.key for each in rolled_up.versions] == ["a"] * 3 + ["c"] * 3
    with pytest.raises(oss2.exceptions.InvalidArgument):
        versions.list_object_versions(prefix="x" * 1025)
    with pytest.raises(oss2.exceptions.InvalidArgument):
        versions.list_object_versions(versionid_marker="alone")
