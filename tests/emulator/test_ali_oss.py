"""The official Node client ali-oss against the local server."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator, StsSession
from tests.emulator.node import Node
from tests.emulator.support import KEY_ID, SECRET, accept, callback_server, fail

PART = 102_400
SIGNINGS: list[dict[str, bool]] = [{"authorizationV4": False}, {"authorizationV4": True}]

# The client addresses the server in three ways: the path alone or bucket and path, each with a Host of the public
# service, and path style as it should be.
STYLES = {
    "ip": {"endpoint": "http://127.0.0.1:{port}"},
    "ip and bucket": {"endpoint": "http://127.0.0.1:{port}", "sldEnable": True},
    "localhost": {"endpoint": "http://localhost:{port}", "sldEnable": True},
}


@pytest.mark.parametrize("signing", SIGNINGS, ids=["V1", "V4"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_objects(node: Node, style: dict[str, object], signing: dict[str, bool]) -> None:
    """Objects are put, described, read, copied, listed and removed in every style of addressing and signing."""
    endpoint = str(style["endpoint"]).format(port=node.server.port)
    value = node.value("objects", {**style, **signing, "endpoint": endpoint}, key="folder/a b+c%/中")
    assert value == {
        "name": "folder/a b+c%/中",
        "etag": '"9A0364B9E99BB480DD25E1F0284C8555"',
        "crc": "8883282091546349020",
        "requestIdLength": 24,
        "meta": {"owner": "data team"},
        "type": "text/csv",
        "content": "content",
        "range": [206, "ont"],
        "copied": '"9A0364B9E99BB480DD25E1F0284C8555"',
        "metaEtag": '"9A0364B9E99BB480DD25E1F0284C8555"',
        "keys": [["folder/a b+c%/中", 7, "Normal", True], ["folder/a b+c%/中.copy", 7, "Normal", True]],
        "removed": 204,
        "absent": {"name": "NoSuchKeyError", "code": "NoSuchKey", "status": 404},
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of five parts, the last one short."""
    path = tmp_path / "file.csv"
    path.write_bytes(random.Random(1).randbytes(4 * PART + 1_000))
    return path


def test_a_file(node: Node, file: Path) -> None:
    """A file named by its path is put whole."""
    assert node.value("putFile", key="a", path=str(file)) == str(file.stat().st_size)


def test_streams(node: Node, tmp_path: Path) -> None:
    """Streams arrive whole, chunked without a length and also when they are empty."""
    (tmp_path / "text").write_text("0123456789" * 50_000)
    assert node.value("streams", path=str(tmp_path / "text")) == {"bytes": 500_000, "empty": ""}
    received = [found.bytes_received for found in node.server.requests if found.operation == "PutObject"]
    assert received == [500_000, 500_000, 0]


@pytest.mark.parametrize("signing", SIGNINGS, ids=["V1", "V4"])
def test_multipart(node: Node, file: Path, signing: dict[str, bool]) -> None:
    """A multipart upload with progress, metadata and parallel parts becomes the object."""
    value = node.value("multipart", signing, key="big/a b", path=str(file), partSize=PART)
    assert value["etag"].endswith('-5"')
    assert value["progress"][0] == [0, 0]
    assert value["progress"][-2:] == [[5 / 6, 5], [1, None]]
    assert len(value["progress"]) == 7
    assert value["meta"] == {"owner": "data team"}
    assert (value["type"], value["cacheControl"], value["objectType"]) == ("text/csv", "no-cache", "Multipart")


def test_multipart_resumes(node: Node, file: Path) -> None:
    """After a part was refused, the client goes on from its checkpoint under the same upload id."""
    node.server.faults.add(Fault(operation="UploadPart", part_number=3, times=1, status=500, code="InternalError"))
    value = node.value("multipartResume", key="big", path=str(file), partSize=PART)
    assert value["first"]["code"] == "InternalError"
    assert value["doneBefore"] == 2
    sent = [found.part_number for found in node.server.requests if found.operation == "UploadPart" and not found.code]
    assert sorted(number for number in sent if number) == [1, 2, 3, 4, 5]
    assert [found.upload_id for found in node.server.requests if found.operation == "CompleteMultipartUpload"] == [
        value["uploadId"]
    ]


def test_multipart_by_hand(node: Node) -> None:
    """The multipart calls one by one: parts, a copied part, both lists, complete, and the dead id afterwards."""
    value = node.value("multipartByHand", key="big")
    assert value["etag"].endswith('-2"')
    del value["etag"]
    assert value == {
        "partEtag": '"550CF6B6E60F65A0E3104A26E70FEA42"',
        "parts": [["1", "10"], ["2", "5"]],
        "uploads": [["big", True]],
        "content": "first partsourc",
        "again": {"name": "NoSuchUploadError", "code": "NoSuchUpload", "status": 404},
    }


def test_abort(node: Node) -> None:
    """An abort is 204 and the upload is gone."""
    assert node.value("abort", key="big") == {
        "status": 204,
        "then": {"name": "NoSuchUploadError", "code": "NoSuchUpload", "status": 404},
    }


@pytest.mark.parametrize("signing", SIGNINGS, ids=["V1", "V4"])
def test_lists(node: Node, signing: dict[str, bool]) -> None:
    """Both listings page by their markers and roll common prefixes up."""
    assert node.value("lists", signing) == {
        "first": ["a", "b/1"],
        "second": ["b/2", "c d+e", "中"],
        "prefixes": ["b/"],
        "v2": ["a", "b/1", "b/2"],
        "v2Count": 3,
        "v2Next": ["c d+e", "中"],
    }


def test_delete_multi(node: Node) -> None:
    """Many keys are deleted at once, reported or quietly."""
    assert node.value("deleteMulti") == {"verbose": ["a b", "<&>", "absent"], "quiet": [], "left": []}


def test_append(node: Node) -> None:
    """Appends grow the object, and a wrong position is the client's own typed error."""
    assert node.value("append") == {
        "position": "6",
        "content": "onetwo",
        "wrong": {"name": "PositionNotEqualToLengthError", "code": "PositionNotEqualToLength", "status": 409},
    }


def test_properties(node: Node) -> None:
    """Tags and ACL of an object are set, read and removed."""
    assert node.value("properties") == {"tags": {"k1": "v1", "k2": "v2"}, "acl": "private", "noTags": {}}


def test_buckets(node: Node) -> None:
    """A bucket is created, described, listed and deleted."""
    assert node.value("buckets") == {
        "name": "from-node",
        "location": "oss-cn-hangzhou",
        "acl": "private",
        "listed": ["exports", "from-node"],
        "gone": {"name": "NoSuchBucketError", "code": "NoSuchBucket", "status": 404},
    }


@pytest.mark.parametrize("signing", SIGNINGS, ids=["V1", "V4"])
def test_presigned(node: Node, signing: dict[str, bool]) -> None:
    """A presigned URL puts and gets exactly its object, and another path under it is refused."""
    client = {"endpoint": f"http://localhost:{node.server.port}", "sldEnable": True, **signing}
    assert node.value("presigned", client, v4=signing["authorizationV4"]) == {
        "put": 200,
        "get": [200, "signed"],
        "altered": 403,
    }


def test_callback(node: Node) -> None:
    """The application is told, and the client gets its answer."""
    with callback_server(accept) as application:
        value = node.value("callback", url=application.url)
    assert value == {"status": 200, "data": {"Status": "OK"}}
    assert [body for _, body in application.received] == [b"object=a&size=5&who=node"]


def test_a_failed_callback(node: Node) -> None:
    """Status 203 is an error to this client, while the object is stored."""
    with callback_server(fail) as application:
        error = node.error("callback", url=application.url)
    assert (error["status"], error["code"]) == (203, "CallbackFailed")
    assert node.value("get", key="a", headers={}) == [200, "hello"]


@pytest.mark.parametrize(
    ("client", "code"),
    [
        ({"accessKeySecret": "wrong"}, "SignatureDoesNotMatch"),
        ({"accessKeySecret": "wrong", "authorizationV4": True}, "SignatureDoesNotMatch"),
        ({"accessKeyId": "unknown"}, "InvalidAccessKeyId"),
        ({"stsToken": "made-up"}, "InvalidSecurityToken"),
        ({"authorizationV4": True, "region": "oss-cn-beijing"}, "InvalidArgument"),
        ({"bucket": "no-such-bucket"}, "NoSuchBucket"),
    ],
)
def test_errors(node: Node, client: dict[str, object], code: str) -> None:
    """Each kind of refusal arrives as the error of that code, with its request id."""
    error = node.error("put", client, key="a", headers={})
    assert (error["code"], error["name"]) == (code, f"{code}Error")
    assert len(error["requestId"]) == 24
    assert error["ecCode"]


def test_more_errors(node: Node) -> None:
    """Conditions, forbidden overwriting and dead uploads have their own errors."""
    node.value("put", key="a", headers={})
    assert node.error("put", key="a", headers={"x-oss-forbid-overwrite": "true"})["code"] == "FileAlreadyExists"
    assert node.error("get", key="a", headers={"If-Match": "0" * 32})["code"] == "PreconditionFailed"
    assert node.error("uploadPartOfUnknownUpload")["code"] == "NoSuchUpload"


def test_sts(tmp_path: Path, ali_oss_modules: Path) -> None:
    """Temporary credentials work with their token, in both signature versions, and not after they expired."""
    session = StsSession("STS.id", "sts secret", "sts token")
    expired = StsSession("STS.old", "sts secret", "old token", expires_at=1.0)
    with OSSEmulator(root=tmp_path, sts_sessions=[session, expired]) as server:
        node = Node(ali_oss_modules, server)
        keys = {"accessKeyId": "STS.id", "accessKeySecret": "sts secret", "stsToken": "sts token"}
        assert node.value("put", keys, key="a", headers={}) == 200
        assert node.value("put", {**keys, "authorizationV4": True}, key="a", headers={}) == 200
        error = node.error("put", {**keys, "accessKeyId": "STS.old", "stsToken": "old token"}, key="a", headers={})
        assert error["code"] == "SecurityTokenExpired"
        error = node.error("put", {"accessKeyId": KEY_ID, "accessKeySecret": SECRET, "stsToken": "sts token"}, key="a")
        assert error["code"] == "AccessKeyIdAndSecurityTokenNotMatch"
