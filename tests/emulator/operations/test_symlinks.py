"""Symbolic links through the official client: what is the target's, what is the link's, and what is refused."""

from __future__ import annotations

import oss2
import pytest
from oss2.models import BucketVersioningConfig

from tests.emulator.support import Client, send


def test_a_link(bucket: oss2.Bucket) -> None:
    """Who reads a link gets the bytes of its target, with the metadata of the link."""
    bucket.put_object("target &ü", b"0123456789", headers={"x-oss-meta-of": "target", "x-oss-storage-class": "IA"})
    bucket.put_symlink("target &ü", "link", headers={"x-oss-meta-of": "link", "Content-Type": "text/x"})
    assert bucket.get_symlink("link").target_key == "target &ü"
    target, link = bucket.head_object("target &ü"), bucket.head_object("link")
    assert (link.etag, link.content_length, link.server_crc) == (target.etag, 10, target.server_crc)
    assert (link.object_type, link.content_type, link.headers["x-oss-meta-of"]) == ("Symlink", "text/x", "link")
    assert link.headers["x-oss-storage-class"] == "IA"
    assert bucket.get_object("link", byte_range=(2, 4)).read() == b"234"
    assert bucket.get_object_meta("link").content_length == 0
    assert [(found.key, found.type) for found in bucket.list_objects().object_list] == [
        ("link", "Symlink"),
        ("target &ü", "Normal"),
    ]
    bucket.put_object("target &ü", b"new")
    assert bucket.get_object("link").read() == b"new"


def test_a_link_to_nothing(client: Client) -> None:
    """A link may stand for what is not there, for a link or for itself; it is the reader who is told."""
    for link, target in (("lost", "absent"), ("twice", "lost"), ("self", "self")):
        assert client.send("PUT", link, {"symlink": ""}, {"x-oss-symlink-target": target}).status == 200
    answers = [client.send("GET", link) for link in ("lost", "twice", "self")]
    assert [(answer.status, answer.code) for answer in answers] == [
        (404, "SymlinkTargetNotExist"),
        (400, "InvalidTargetType"),
        (400, "InvalidTargetType"),
    ]


def test_what_is_no_link(client: Client) -> None:
    """An object is no link, an absent one neither, and a link needs a target with a proper name."""
    client.send("PUT", "a", body=b"x")
    assert client.send("GET", "a", {"symlink": ""}).code == "NotSymlink"
    assert client.send("GET", "absent", {"symlink": ""}).code == "NoSuchKey"
    assert client.send("PUT", "link", {"symlink": ""}).code == "MissingArgument"
    refused = client.send("PUT", "link", {"symlink": ""}, {"x-oss-symlink-target": "%2Fa"})
    assert refused.code == "InvalidObjectName"
    forbidden = {"x-oss-symlink-target": "b", "x-oss-forbid-overwrite": "true"}
    assert client.send("PUT", "a", {"symlink": ""}, forbidden).code == "FileAlreadyExists"


def test_a_link_that_is_deleted(client: Client) -> None:
    """A link is deleted as an object is, whether or not the request calls it a link; its target stays."""
    client.send("PUT", "target", body=b"x")
    for query in (None, {"symlink": ""}):
        client.send("PUT", "link", {"symlink": ""}, {"x-oss-symlink-target": "target"})
        assert client.send("DELETE", "link", query).status == 204
        assert client.send("GET", "link", {"symlink": ""}).code == "NoSuchKey"
    assert client.send("GET", "target").body == b"x"


def test_a_copy_of_a_link(bucket: oss2.Bucket) -> None:
    """A copy of a link is a link to the same object."""
    bucket.put_object("target", b"x")
    bucket.put_symlink("target", "link")
    bucket.copy_object("exports", "link", "copy")
    assert bucket.get_symlink("copy").target_key == "target"
    assert bucket.get_object("copy").read() == b"x"


def test_versions_of_a_link(bucket: oss2.Bucket) -> None:
    """Each version of a link stands for its own target."""
    bucket.put_bucket_versioning(BucketVersioningConfig("Enabled"))
    versions = [bucket.put_symlink(target, "link").headers["x-oss-version-id"] for target in ("a", "b")]
    targets = [bucket.get_symlink("link", params={"versionId": each}).target_key for each in versions]
    assert targets == ["a", "b"]


def test_who_may_follow(client: Client) -> None:
    """Anyone who may read the link needs to be allowed to read its target as well."""
    client.allow_public_access()
    public = {"x-oss-object-acl": "public-read"}
    client.send("PUT", "target", body=b"x")
    client.send("PUT", "link", {"symlink": ""}, {"x-oss-symlink-target": "target", **public})
    target = client.target("link", None)
    assert send(client.server.endpoint, "GET", target).code == "AccessDenied"
    client.send("PUT", "target", {"acl": ""}, public)
    assert send(client.server.endpoint, "GET", target).body == b"x"


def test_an_append_to_a_link(bucket: oss2.Bucket) -> None:
    """A link is not appendable, whatever its target is."""
    bucket.append_object("log", 0, b"x")
    bucket.put_symlink("log", "link")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        bucket.append_object("link", 1, b"x")
