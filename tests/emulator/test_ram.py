"""RAM users and their policies, through the official client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oss2
import pytest

from airflow_provider_oss.emulator import Limits, OSSEmulator, RamUser
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.ram import Need, resource_of
from tests.emulator.support import KEY_ID, REGION, SECRET, ClosingSession

BUCKET = "exports"
OBJECTS = f"acs:oss:*:*:{BUCKET}/*"

Connect = Callable[..., oss2.Bucket]


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "1", "Statement": list(statements)}


def allow(actions: str | list[str], resources: str | list[str] = OBJECTS, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: str | list[str], resources: str | list[str] = OBJECTS) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": actions, "Resource": resources}


@pytest.fixture
def connect(tmp_path: Path, session: ClosingSession) -> Iterator[Connect]:
    """Start a server with objects a/1, a/2 and b/1 that knows one RAM user; return the bucket as the user sees it."""
    running: list[OSSEmulator] = []

    def start(*statements: dict[str, Any], auth: Any = oss2.AuthV4) -> oss2.Bucket:
        user = RamUser("user-id", "user-secret", policy(*statements))
        server = OSSEmulator(tmp_path / "oss", ram_users=[user], limits=Limits(min_part_size_bytes=10))
        running.append(server.__enter__())
        owner = oss2.Bucket(oss2.Auth(KEY_ID, SECRET), server.endpoint, BUCKET, session=session)
        for key in ("a/1", "a/2", "b/1"):
            owner.put_object(key, b"data")
        return oss2.Bucket(auth("user-id", "user-secret"), server.endpoint, BUCKET, session=session, region=REGION)

    yield start
    for server in running:
        server.__exit__()


def assert_denied(call: Callable[[], object]) -> None:
    with pytest.raises(oss2.exceptions.AccessDenied) as caught:
        call()
    assert caught.value.ec == "0003-00000001"


@pytest.mark.parametrize("auth", [oss2.Auth, oss2.AuthV4])
def test_only_what_is_allowed(connect: Connect, auth: Any) -> None:
    """A user may do the allowed action on the allowed objects; another action, and other objects, are refused."""
    bucket = connect(allow("oss:GetObject", f"acs:oss:*:*:{BUCKET}/a/*"), auth=auth)
    assert bucket.get_object("a/1").read() == b"data"
    assert bucket.head_object("a/1").content_length == 4
    assert_denied(lambda: bucket.get_object("b/1"))
    assert_denied(lambda: bucket.put_object("a/1", b"other"))
    assert_denied(lambda: bucket.delete_object("a/1"))
    assert_denied(lambda: oss2.ObjectIterator(bucket).next())
    assert bucket.get_object("a/1").read() == b"data"


def test_a_denial_goes_before(connect: Connect) -> None:
    """An explicit Deny refuses what another statement allows."""
    bucket = connect(allow("oss:*"), deny("oss:DeleteObject", f"acs:oss:*:*:{BUCKET}/b/*"))
    bucket.delete_object("a/1")
    assert_denied(lambda: bucket.delete_object("b/1"))


def test_a_multipart_upload(connect: Connect) -> None:
    """Its steps need oss:PutObject; to list and to abort are permissions of their own."""
    bucket = connect(allow("oss:PutObject"))
    upload = bucket.init_multipart_upload("big").upload_id
    part = bucket.upload_part("big", upload, 1, b"data")
    assert_denied(lambda: bucket.list_parts("big", upload))
    assert_denied(lambda: bucket.abort_multipart_upload("big", upload))
    bucket.complete_multipart_upload("big", upload, [oss2.models.PartInfo(1, part.etag)])
    assert_denied(bucket.list_multipart_uploads)


def test_headers_that_need_more(connect: Connect) -> None:
    """Tags and an ACL given with an object need permissions of their own."""
    bucket = connect(allow(["oss:PutObject", "oss:PutObjectTagging"]))
    bucket.put_object("tagged", b"data", headers={"x-oss-tagging": "a=b"})
    assert_denied(lambda: bucket.put_object("closed", b"data", headers={"x-oss-object-acl": "private"}))


def test_versions_need_more(connect: Connect) -> None:
    """A version of an object needs a permission of its own, to be read, copied and deleted."""
    bucket = connect(allow(["oss:GetObject", "oss:PutObject", "oss:DeleteObject"]))
    version = {"versionId": "null"}
    assert_denied(lambda: bucket.get_object("a/1", params=version))
    assert_denied(lambda: bucket.copy_object(BUCKET, "a/1", "copy", params=version))
    assert_denied(lambda: bucket.delete_object("a/1", params=version))
    wanted = oss2.models.BatchDeleteObjectVersionList([oss2.models.BatchDeleteObjectVersion("a/1", "null")])
    assert_denied(lambda: bucket.delete_object_versions(wanted))
    assert bucket.get_object("a/1").read() == b"data"


def test_versions_alone(connect: Connect) -> None:
    """Who may read and delete versions may not read and delete objects."""
    bucket = connect(allow(["oss:GetObjectVersion", "oss:DeleteObjectVersion"]))
    version = {"versionId": "null"}
    assert bucket.get_object("a/1", params=version).read() == b"data"
    assert_denied(lambda: bucket.get_object("a/1"))
    assert bucket.delete_object("a/1", params=version).status == 204
    assert_denied(lambda: bucket.delete_object("a/2"))


def test_a_copy(connect: Connect) -> None:
    """A copy needs to read its source and to write its target."""
    bucket = connect(
        allow("oss:GetObject", f"acs:oss:*:*:{BUCKET}/a/*"), allow("oss:PutObject", f"acs:oss:*:*:{BUCKET}/c/*")
    )
    bucket.copy_object(BUCKET, "a/1", "c/1")
    assert_denied(lambda: bucket.copy_object(BUCKET, "b/1", "c/1"))
    assert_denied(lambda: bucket.copy_object(BUCKET, "a/1", "a/3"))


def test_many_deletions(connect: Connect) -> None:
    """Deleting many needs the permission for each: else nothing is deleted."""
    bucket = connect(
        allow("oss:DeleteObject", f"acs:oss:*:*:{BUCKET}/a/*"), allow("oss:ListObjects", f"acs:oss:*:*:{BUCKET}")
    )
    assert_denied(lambda: bucket.batch_delete_objects(["a/1", "b/1"]))
    bucket.batch_delete_objects(["a/1", "a/2"])
    assert [found.key for found in oss2.ObjectIterator(bucket)] == ["b/1"]


def test_a_listing_of_a_prefix(connect: Connect) -> None:
    """A condition narrows listings to prefixes."""
    narrowed = {"StringLike": {"oss:Prefix": ["a/*"]}}
    bucket = connect(allow("oss:ListObjects", f"acs:oss:*:*:{BUCKET}", Condition=narrowed))
    assert [found.key for found in oss2.ObjectIteratorV2(bucket, prefix="a/")] == ["a/1", "a/2"]
    assert_denied(lambda: oss2.ObjectIteratorV2(bucket, prefix="b/").next())
    assert_denied(lambda: oss2.ObjectIteratorV2(bucket).next())


def test_the_account(connect: Connect) -> None:
    """To list the account's buckets is about no bucket."""
    bucket = connect(allow("oss:ListBuckets", "acs:oss:*:*:*"))
    service = oss2.Service(bucket.auth, bucket.endpoint, session=bucket.session, region=REGION)
    assert [found.name for found in service.list_buckets().buckets] == [BUCKET]
    assert_denied(bucket.get_bucket_info)


def test_a_wrong_secret(connect: Connect) -> None:
    """A RAM user's secret is checked as the owner's is."""
    bucket = connect(allow("oss:*"))
    wrong = oss2.Bucket(oss2.AuthV4("user-id", "guess"), bucket.endpoint, BUCKET, session=bucket.session, region=REGION)
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch):
        wrong.get_object("a/1")


def test_patterns() -> None:
    """``*`` is any text and ``?`` one character; the names of actions have no case, those of objects have."""
    user = RamUser("id", "secret", policy(allow("OSS:get*", f"acs:oss:*:*:{BUCKET}/day-?.[csv]")))

    user.check(Need("oss:GetObject", resource_of(BUCKET, "day-1.[csv]")))
    for action, key in (
        ("oss:PutObject", "day-1.[csv]"),
        ("oss:GetObject", "day-10.[csv]"),
        ("oss:GetObject", "day-1.c"),
    ):
        with pytest.raises(OSSError, match="AccessDenied"):
            user.check(Need(action, resource_of(BUCKET, key)))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"Statement": []}, "Version"),
        ({"Version": "2012-10-17", "Statement": []}, "Version"),
        (policy({"Effect": "Allow", "Action": "oss:*"}), "Resource"),
        (policy(allow("oss:*", Principal="*")), "Principal"),
        (policy({"Effect": "Maybe", "Action": "oss:*", "Resource": "*"}), "Maybe"),
        (policy(allow("oss:*", Condition={"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}})), "oss:Prefix"),
        (policy(allow("oss:*", Condition={"StringLike": {"oss:Delimiter": "/"}})), "oss:Prefix"),
    ],
    ids=["no version", "version of another cloud", "no resource", "principal", "effect", "operator", "key"],
)
def test_a_policy_that_is_not_understood(document: dict[str, Any], said: str) -> None:
    """A policy that the server does not understand is refused when the user is made, and the reason named."""
    with pytest.raises(ValueError, match=said):
        RamUser("id", "secret", document)


def test_no_secret_is_shown() -> None:
    """A user's ``repr`` has the AccessKey ID alone."""
    assert repr(RamUser("id", "secret", policy(allow("oss:*")))) == "RamUser('id')"
