"""Block Public Access: on for new buckets, and a switch of each."""

from __future__ import annotations

from collections.abc import Callable

import oss2
import pytest

from tests.emulator.support import Client, send


def test_the_switch(bucket: oss2.Bucket) -> None:
    """A new bucket blocks public access, until that is switched off, and after it is switched on again."""
    assert bucket.get_bucket_public_access_block().block_public_access is True
    bucket.put_bucket_public_access_block(block_public_access=False)
    assert bucket.get_bucket_public_access_block().block_public_access is False
    bucket.put_bucket_public_access_block(block_public_access=True)
    assert bucket.get_bucket_public_access_block().block_public_access is True
    bucket.delete_bucket_public_access_block()
    assert bucket.get_bucket_public_access_block().block_public_access is False


def test_what_a_new_bucket_refuses(bucket: oss2.Bucket) -> None:
    """Neither the bucket nor an object gets a public ACL, however it is asked for; other ACLs are fine."""
    bucket.put_object("a", b"x", headers={"x-oss-object-acl": "private"})
    public = {"x-oss-object-acl": "public-read"}
    upload_id = bucket.init_multipart_upload("big").upload_id
    part = bucket.upload_part("big", upload_id, 1, b"x")
    attempts: list[Callable[[], object]] = [
        lambda: bucket.put_bucket_acl("public-read-write"),
        lambda: bucket.put_object_acl("a", "public-read"),
        lambda: bucket.put_object("b", b"x", headers=public),
        lambda: bucket.init_multipart_upload("b", headers=public),
        lambda: bucket.complete_multipart_upload("big", upload_id, [oss2.models.PartInfo(1, part.etag)], public),
        lambda: bucket.copy_object("exports", "a", "b", headers=public),
    ]
    for attempt in attempts:
        with pytest.raises(oss2.exceptions.AccessDenied, match="acl is not allowed"):
            attempt()
    assert bucket.get_bucket_acl().acl == "private"


def test_a_bucket_that_wants_to_be_public(client: Client) -> None:
    """A bucket cannot be created with a public ACL, neither by PutBucket nor by PutBucketAcl."""
    new = Client(client.server, bucket="new-bucket")
    for query in (None, {"acl": ""}):
        answer = new.send("PUT", "", query, {"x-oss-acl": "public-read"})
        assert (answer.status, answer.code) == (403, "AccessDenied")
    assert new.send("GET", "", {"bucketInfo": ""}).code == "NoSuchBucket"


def test_an_acl_that_was_public_before(client: Client) -> None:
    """Public access that is blocked again is refused whatever the ACL says, and comes back with the switch."""
    client.allow_public_access()
    client.send("PUT", "a", headers={"x-oss-object-acl": "public-read"}, body=b"x")
    target = client.target("a", None)
    assert send(client.server.endpoint, "GET", target).body == b"x"
    block = (
        b"<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>"
    )
    client.send("PUT", "", {"publicAccessBlock": ""}, body=block)
    assert client.send("GET", "", {"bucketInfo": ""}).text("Bucket/BlockPublicAccess") == "true"
    assert send(client.server.endpoint, "GET", target).code == "AccessDenied"
    assert client.send("GET", "a").body == b"x"
    client.allow_public_access()
    assert send(client.server.endpoint, "GET", target).body == b"x"


def test_a_switch_that_is_neither(client: Client) -> None:
    """The switch is true or false."""
    bad = (
        b"<PublicAccessBlockConfiguration><BlockPublicAccess>maybe</BlockPublicAccess></PublicAccessBlockConfiguration>"
    )
    assert client.send("PUT", "", {"publicAccessBlock": ""}, body=bad).code == "MalformedXML"
