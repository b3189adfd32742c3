"""Arguments of single operations that are wrong, missing or odd."""

from __future__ import annotations

import pytest

from tests.emulator.support import Client


def begin(client: Client) -> str:
    """The id of a new upload of `big`."""
    upload_id = client.send("POST", "big", {"uploads": ""}).text("UploadId")
    assert upload_id is not None
    return upload_id


@pytest.mark.parametrize("position", [None, "", "-1", "x"])
def test_append_positions(client: Client, position: str | None) -> None:
    """An append says where, as a whole number."""
    query = {"append": ""} | ({} if position is None else {"position": position})
    answer = client.send("POST", "log", query, body=b"x")
    assert (answer.status, answer.code, answer.text("ArgumentName")) == (400, "InvalidArgument", "position")


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("/exports", 400, "InvalidArgument"),
        ("", 400, "InvalidArgument"),
        (f"/exports/a?versionId={'0' * 64}", 404, "NoSuchVersion"),
        ("/exports/a?versionId=1", 400, "InvalidArgument"),
        ("/exports/a?versionId=", 400, "InvalidArgument"),
        ("/exports/a?versionId=null", 200, None),
        ("/not-there/a", 404, "NoSuchBucket"),
        ("/exports/absent", 404, "NoSuchKey"),
        ("/exports/archived", 403, "InvalidObjectState"),
        ("exports/a", 200, None),
    ],
)
def test_copy_sources(client: Client, source: str, status: int, code: str | None) -> None:
    """The source of a copy is a bucket and a key, of an object that can be read."""
    client.send("PUT", "a", body=b"x")
    client.send("PUT", "archived", headers={"x-oss-storage-class": "Archive"}, body=b"x")
    answer = client.send("PUT", "b", headers={"x-oss-copy-source": source})
    assert (answer.status, answer.code) == (status, code)


def test_copy_directives(client: Client) -> None:
    """A directive is COPY or REPLACE."""
    client.send("PUT", "a", body=b"x")
    headers = {"x-oss-copy-source": "/exports/a", "x-oss-metadata-directive": "MERGE"}
    assert client.send("PUT", "b", headers=headers).text("ArgumentName") == "x-oss-metadata-directive"


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=9-", "bytes=a-b", "0-1", "bytes=-3", "bytes=0-9"])
def test_copy_ranges(client: Client, text: str) -> None:
    """The range of a copied part lies within its source."""
    client.send("PUT", "a", body=b"012345678")
    query = {"partNumber": "1", "uploadId": begin(client)}
    headers = {"x-oss-copy-source": "/exports/a", "x-oss-copy-source-range": text}
    answer = client.send("PUT", "big", query, headers)
    assert (answer.status, answer.text("ArgumentName")) == (400, "x-oss-copy-source-range")


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_dates_of_conditions(client: Client, name: str) -> None:
    """A condition whose date is none is no condition."""
    client.send("PUT", "a", body=b"x")
    assert client.send("GET", "a", headers={name: "yesterday"}).body == b"x"
    copied = client.send("PUT", "b", headers={"x-oss-copy-source": "/exports/a", f"x-oss-copy-source-{name}": "then"})
    assert copied.status == 200


def test_what_is_not_modified(client: Client) -> None:
    """A 304 names the ETag that the client's copy has."""
    etag = client.send("PUT", "a", body=b"x").headers["etag"]
    for method in ("GET", "HEAD"):
        answer = client.send(method, "a", headers={"If-None-Match": etag})
        assert (answer.status, answer.headers["etag"], answer.body) == (304, etag, b"")


def test_a_list_of_etags(client: Client) -> None:
    """If-Match and If-None-Match take several ETags, weak ones and a star."""
    etag = client.send("PUT", "a", body=b"x").headers["etag"]
    for wanted in ("*", f'"other", {etag}', f"W/{etag}", etag.strip('"').lower()):
        assert client.send("GET", "a", headers={"If-Match": wanted}).status == 200
        assert client.send("GET", "a", headers={"If-None-Match": wanted}).status == 304


@pytest.mark.parametrize("sub_resource", ["acl"])
def test_an_acl_without_a_value(client: Client, sub_resource: str) -> None:
    """Setting an ACL without saying which is a missing argument."""
    client.send("PUT", "a", body=b"x")
    for key in ("", "a"):
        answer = client.send("PUT", key, {sub_resource: ""})
        assert (answer.status, answer.code) == (400, "MissingArgument")
    assert client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "open"}).text("ArgumentName") == "x-oss-acl"


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (
            b"<CreateBucketConfiguration><StorageClass>Cold</StorageClass></CreateBucketConfiguration>",
            "InvalidArgument",
        ),
        (
            b"<CreateBucketConfiguration><DataRedundancyType>X</DataRedundancyType></CreateBucketConfiguration>",
            "InvalidArgument",
        ),
        (b"<Other/>", "MalformedXML"),
    ],
)
def test_bucket_configurations(client: Client, xml: bytes, code: str) -> None:
    """A bucket's configuration has a storage class and a redundancy that OSS knows."""
    answer = client.send("PUT", "", body=xml)
    assert (answer.status, answer.code) == (400, code)


def test_a_default_storage_class(client: Client) -> None:
    """An object has the storage class of its bucket unless it says otherwise."""
    xml = b"<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>"
    other = Client(client.server, bucket="other-bucket")
    assert other.send("PUT", "", body=xml).status == 200
    other.send("PUT", "a", body=b"x")
    assert other.send("HEAD", "a").headers["x-oss-storage-class"] == "IA"


@pytest.mark.parametrize(
    "xml",
    [
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload></CompleteMultipartUpload>",
        b"nonsense",
        b"",
    ],
)
def test_malformed_lists_of_parts(client: Client, xml: bytes) -> None:
    """A list of parts needs numbers and ETags."""
    answer = client.send("POST", "big", {"uploadId": begin(client)}, body=xml)
    assert (answer.status, answer.code) == (400, "MalformedXML")


def test_bare_and_quoted_etags(client: Client) -> None:
    """ETags in a list of parts may be quoted, escaped or bare, in any case of letters."""
    for form in ('"{}"', "&quot;{}&quot;", "{}", " {} "):
        upload_id = begin(client)
        etag = (
            client.send("PUT", "big", {"partNumber": "1", "uploadId": upload_id}, body=b"x").headers["etag"].strip('"')
        )
        xml = f"<Part><PartNumber>1</PartNumber><ETag>{form.format(etag.lower())}</ETag></Part>"
        body = f"<CompleteMultipartUpload>\n{xml}\n</CompleteMultipartUpload>".encode()
        assert client.send("POST", "big", {"uploadId": upload_id}, body=body).status == 200


def test_where_a_completed_object_is(client: Client) -> None:
    """The answer of Complete names bucket, key and place, encoded when that is asked for."""
    upload_id = client.send("POST", "a b/ü", {"uploads": ""}).text("UploadId") or ""
    client.send("PUT", "a b/ü", {"partNumber": "1", "uploadId": upload_id}, body=b"x")
    query = {"uploadId": upload_id, "encoding-type": "url"}
    answer = client.send("POST", "a b/ü", query, {"x-oss-complete-all": "yes"})
    assert (answer.text("Bucket"), answer.text("Key"), answer.text("EncodingType")) == (
        "exports",
        "a%20b%2F%C3%BC",
        "url",
    )
    assert answer.text("Location") == f"{client.server.endpoint}/exports/a%20b/%C3%BC"


def test_markers_of_uploads(client: Client) -> None:
    """An upload id marker without a key marker is ignored."""
    upload_id = begin(client)
    assert client.send("GET", "", {"uploads": "", "upload-id-marker": "Z"}).text("Upload/UploadId") == upload_id
    assert client.send("GET", "", {"uploads": "", "key-marker": "big"}).text("Upload/UploadId") is None
    both = {"uploads": "", "key-marker": "big", "upload-id-marker": "0"}
    assert client.send("GET", "", both).text("Upload/UploadId") == upload_id


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("", "x-oss-server-side-encryption"),
        ("", "x-oss-resource-group-id"),
        ("a", "x-oss-object-worm-mode"),
        ("a", "x-oss-object-worm-legal-hold"),
    ],
)
def test_headers_that_are_not_kept(client: Client, key: str, header: str) -> None:
    """A header that would make a bucket or an object into what the server cannot keep is refused, and named."""
    elsewhere = Client(client.server, bucket="new-bucket")
    answer = elsewhere.send("PUT", key, headers={header: "AES256"}, body=b"")
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert f"The header {header} " in (answer.text("Message") or "")
    assert elsewhere.send("GET", "a").code == "NoSuchBucket"
