"""Signatures, clocks, sessions and anonymous access, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import oss2
import pytest
from oss2.credentials import StaticCredentialsProvider

from airflow_provider_oss.emulator import OSSEmulator, StsSession
from tests.emulator.support import KEY_ID, REGION, SECRET, Answer, Client, ClosingSession, send
from tests.support.moved_clock import MovedClock


@pytest.fixture
def clock() -> MovedClock:
    """The server's clock, right at first."""
    return MovedClock()


@pytest.fixture
def server(tmp_path: Path, clock: MovedClock) -> Iterator[OSSEmulator]:
    """A server with that clock and three sessions, one of them expired."""
    sessions = [
        StsSession("STS.one", "secret one", "token one"),
        StsSession("STS.two", "secret two", "token two"),
        StsSession("STS.old", "secret old", "token old", expires_at=time.time() - 1),
    ]
    with OSSEmulator(root=tmp_path, clock=clock, sts_sessions=sessions) as running:
        yield running


AUTHS = {"V1": oss2.Auth, "V4": oss2.AuthV4}


@pytest.fixture(params=["V1", "V4"])
def version(request: pytest.FixtureRequest) -> str:
    """Both signature versions."""
    return str(request.param)


@pytest.fixture
def client(server: OSSEmulator, version: str) -> Client:
    """A client with an object `a`."""
    client = Client(server, AUTHS[version](KEY_ID, SECRET))
    assert client.send("PUT", "a", body=b"x").status == 200
    return client


def presigned(client: Client, method: str = "GET", expires: int = 60, **options: object) -> str:
    """The path and query of a presigned URL."""
    bucket = oss2.Bucket(client.auth, client.server.endpoint, "exports", region=REGION)
    url: str = bucket.sign_url(method, "a", expires, **options)
    return url.removeprefix(client.server.endpoint)


def get(client: Client, target: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    """Send without signing."""
    return send(client.server.endpoint, method, target, headers)


def with_header(client: Client, name: str, value: str | None, method: str = "GET") -> Answer:
    """A signed request with one header replaced, or removed when the value is None."""
    headers = {key: text for key, text in client.signed(method, "a").items() if key.lower() != name}
    if value is not None:
        headers[name] = value
    return send(client.server.endpoint, method, client.target("a", None), headers)


def test_a_right_signature(client: Client) -> None:
    """A rightly signed request is served."""
    assert client.send("GET", "a").body == b"x"


def test_a_wrong_secret(client: Client, version: str) -> None:
    """A wrong secret is told with what the server signed, and nowhere with the secret itself."""
    wrong = Client(client.server, AUTHS[version](KEY_ID, "wrong"))
    answer = wrong.send("GET", "a")
    assert (answer.status, answer.code, answer.text("OSSAccessKeyId")) == (403, "SignatureDoesNotMatch", KEY_ID)
    signed = bytes.fromhex((answer.text("StringToSignBytes") or "").replace(" ", ""))
    assert signed.decode() == answer.text("StringToSign")
    assert answer.text("EC") == answer.headers["x-oss-ec"] == {"V1": "0002-00000040", "V4": "0002-00000201"}[version]
    assert SECRET.encode() not in answer.body


def test_an_unknown_key(client: Client, version: str) -> None:
    """An AccessKey ID that nobody has is told apart from a wrong secret."""
    nobody = AUTHS[version]("nobody", SECRET)
    answer = Client(client.server, nobody).send("GET", "a")
    assert (answer.status, answer.code, answer.text("OSSAccessKeyId")) == (403, "InvalidAccessKeyId", "nobody")
    elsewhere = Client(client.server, nobody, bucket="not-there")
    for method, key in (("GET", "a"), ("GET", ""), ("DELETE", "")):
        assert elsewhere.send(method, key).code == "NoSuchBucket"
    assert elsewhere.send("PUT", "").code == "InvalidAccessKeyId"


def test_altered_requests(client: Client) -> None:
    """Another method, another key, another x-oss header or another sub-resource than the signed one is refused."""
    headers = client.signed("GET", "a")
    endpoint, target = client.server.endpoint, client.target("a", None)
    for attempt in (
        send(endpoint, "DELETE", target, headers),
        send(endpoint, "GET", client.target("b", None), headers),
        send(endpoint, "GET", target, {**headers, "x-oss-meta-a": "b"}),
        send(endpoint, "GET", f"{target}?acl", headers),
        send(endpoint, "GET", target, {**headers, "content-type": "text/x"}),
    ):
        assert (attempt.status, attempt.code) == (403, "SignatureDoesNotMatch")
    assert send(endpoint, "GET", target, {**headers, "Range": "bytes=0-0"}).status == 206


def test_an_altered_plain_query(client: Client, version: str) -> None:
    """Version 4 signs every query parameter, version 1 only the sub-resources."""
    headers = client.signed("GET", "", {"prefix": "a"})
    answer = send(client.server.endpoint, "GET", client.target("", {"prefix": "b"}), headers)
    assert answer.status == {"V1": 200, "V4": 403}[version]


@pytest.mark.parametrize(("offset", "status"), [(-890, 200), (890, 200), (-910, 403), (910, 403)])
def test_clock_skew(client: Client, clock: MovedClock, offset: float, status: int) -> None:
    """Up to 15 minutes either way are fine; beyond, the answer says what time it is."""
    clock.offset = offset
    answer = client.send("GET", "a")
    assert answer.status == status
    if status == 403:
        assert answer.code == "RequestTimeTooSkewed"
        assert answer.text("MaxAllowedSkewMilliseconds") == "900000"
        assert (answer.text("ServerTime") or "").endswith(".000Z")
        assert answer.headers["date"] == formatdate(clock(), usegmt=True)


def test_no_date(client: Client, version: str) -> None:
    """A signature in headers without a time is refused."""
    answer = with_header(client, {"V1": "date", "V4": "x-oss-date"}[version], None)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    answer = with_header(client, {"V1": "date", "V4": "x-oss-date"}[version], "yesterday")
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic abc",
        "OSS",
        "OSS abc",
        "OSS :",
        "OSS4-HMAC-SHA256 Credential=a",
        "OSS4-HMAC-SHA256 Credential=a/b,Signature=c",
    ],
)
def test_malformed_authorization(client: Client, authorization: str) -> None:
    """An Authorization header that is none of OSS's is an invalid argument."""
    headers = {
        "authorization": authorization,
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "date": formatdate(usegmt=True),
    }
    answer = get(client, client.target("a", None), headers)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_the_region_of_a_url(server: OSSEmulator, session: ClosingSession) -> None:
    """A URL that was signed for another region is refused in words of its own."""
    auth = oss2.AuthV4(KEY_ID, SECRET)
    bucket = oss2.Bucket(auth, server.endpoint, "exports", session=session, region="cn-beijing")
    parts = urlsplit(bucket.sign_url("GET", "a", 60))
    answer = send(server.endpoint, "GET", f"{parts.path}?{parts.query}")
    assert (answer.status, answer.text("Message")) == (400, "The signing region in credential is invalid.")


def test_version_4_details(server: OSSEmulator) -> None:
    """Version 4 insists on its payload mark, its region and the date of its scope."""
    client = Client(server, oss2.AuthV4(KEY_ID, SECRET))
    answer = with_header(client, "x-oss-content-sha256", "0" * 64)
    assert (answer.status, answer.code, answer.text("EC")) == (400, "InvalidArgument", "0002-00000214")
    authorization = client.signed("GET", "a")["authorization"]
    answer = with_header(client, "authorization", authorization.replace(REGION, "cn-beijing"))
    assert (answer.status, answer.code, answer.text("EC")) == (400, "InvalidArgument", "0002-00000226")
    today = time.strftime("%Y%m%d", time.gmtime())
    answer = with_header(client, "authorization", authorization.replace(f"/{today}/", "/20200101/"))
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_version_2_is_not_implemented(client: Client) -> None:
    """Signature version 2 is 501, not a wrong signature."""
    answer = Client(client.server, oss2.AuthV2(KEY_ID, SECRET)).send("GET", "a")
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_presigned_urls(client: Client) -> None:
    """A presigned URL serves its method and key only; a Range may be added, a signed kind of header may not."""
    target = presigned(client)
    assert get(client, target).body == b"x"
    assert get(client, target, {"Range": "bytes=0-0"}).status == 206
    for attempt in (
        get(client, target, {"Content-Type": "text/x"}),
        get(client, target, {"x-oss-meta-a": "b"}),
        get(client, target.replace("/a?", "/b?")),
        get(client, f"{target}&acl"),
    ):
        assert (attempt.status, attempt.code) == (403, "SignatureDoesNotMatch")
    assert get(client, target, method="HEAD").status == 403


def test_an_added_parameter(client: Client, version: str) -> None:
    """An unsigned parameter more breaks version 4, which signs all of them, and not version 1."""
    assert get(client, f"{presigned(client)}&custom=1").status == {"V1": 200, "V4": 403}[version]


def test_a_presigned_url_with_parameters(client: Client) -> None:
    """Parameters that were signed have their effect."""
    target = presigned(client, params={"response-content-type": "text/x; a=b"})
    assert get(client, target).headers["content-type"] == "text/x; a=b"


def test_additional_headers(server: OSSEmulator) -> None:
    """A header that a version 4 URL signs in addition must come exactly as it was signed."""
    client = Client(server, oss2.AuthV4(KEY_ID, SECRET))
    client.send("PUT", "a", body=b"123456789")
    target = presigned(client, headers={"range": "bytes=2-3"}, additional_headers=["range"])
    assert get(client, target, {"Range": "bytes=2-3"}).body == b"34"
    for headers in ({"Range": "bytes=2-4"}, {}):
        assert get(client, target, headers).code == "SignatureDoesNotMatch"


def test_an_expired_url(client: Client, clock: MovedClock) -> None:
    """After its time a URL is refused, and before the last second it is not."""
    target = presigned(client, expires=60)
    clock.offset = 55
    assert get(client, target).status == 200
    clock.offset = 65
    answer = get(client, target)
    assert (answer.status, answer.code, answer.text("Message")) == (403, "AccessDenied", "Request has expired.")
    assert answer.text("EC") == "0002-00000069"


def test_extending_a_url(client: Client, version: str) -> None:
    """Nobody can give a URL a longer life."""
    target = presigned(client)
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    query["Expires" if version == "V1" else "x-oss-expires"] = (
        str(int(time.time()) + 5000) if version == "V1" else "5000"
    )
    answer = get(client, f"{parts.path}?{urlencode(query)}")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("lifetime", "status"), [("604800", 403), ("604801", 400), ("0", 400), ("-1", 400), ("x", 400)]
)
def test_the_life_of_version_4_urls(server: OSSEmulator, lifetime: str, status: int) -> None:
    """A version 4 URL lives from a second to seven days: anything else is refused before its signature is looked at."""
    client = Client(server, oss2.AuthV4(KEY_ID, SECRET))
    answer = get(client, presigned(client).replace("x-oss-expires=60", f"x-oss-expires={lifetime}"))
    assert answer.status == status


@pytest.mark.parametrize(
    "query",
    ["OSSAccessKeyId=a&Signature=b", "OSSAccessKeyId=a&Signature=b&Expires=soon", "Signature=b&Expires=1"],
)
def test_incomplete_version_1_urls(server: OSSEmulator, query: str) -> None:
    """A version 1 URL that lacks a part of its signature, or says no number of seconds, is refused."""
    answer = send(server.endpoint, "GET", f"/exports/a?{query}")
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize("missing", ["x-oss-credential", "x-oss-date", "x-oss-signature", "x-oss-expires"])
def test_incomplete_version_4_urls(server: OSSEmulator, missing: str) -> None:
    """A version 4 URL that lacks a part of its signature is an invalid argument."""
    client = Client(server, oss2.AuthV4(KEY_ID, SECRET))
    parts = urlsplit(presigned(client))
    query = {name: value for name, value in parse_qsl(parts.query) if name != missing}
    answer = get(client, f"{parts.path}?{urlencode(query)}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def sts_client(server: OSSEmulator, version: str, key: str, secret: str, token: str | None) -> Client:
    """A client with temporary credentials."""
    if version == "V1":
        return Client(server, oss2.StsAuth(key, secret, token) if token else oss2.Auth(key, secret))
    return Client(server, oss2.ProviderAuthV4(StaticCredentialsProvider(key, secret, token)))


@pytest.mark.parametrize(
    ("key", "token", "expected"),
    [
        ("STS.one", "token one", (404, "NoSuchKey", "0026-00000001")),
        ("STS.one", None, (403, "InvalidAccessKeyId", "0002-00000003")),
        ("STS.one", "made up", (403, "InvalidSecurityToken", "0002-00000006")),
        ("STS.one", "token two", (403, "AccessKeyIdAndSecurityTokenNotMatch", "0002-00000004")),
        ("STS.old", "token old", (403, "SecurityTokenExpired", "0002-00000007")),
        (KEY_ID, "token one", (403, "AccessKeyIdAndSecurityTokenNotMatch", "0002-00000004")),
    ],
)
def test_sessions(
    server: OSSEmulator, version: str, key: str, token: str | None, expected: tuple[int, str, str]
) -> None:
    """A session needs its own token, in time; each other case has its own error."""
    secret = {"STS.one": "secret one", "STS.old": "secret old"}.get(key, SECRET)
    answer = sts_client(server, version, key, secret, token).send("GET", "a")
    assert (answer.status, answer.code, answer.text("EC")) == expected


def test_a_session_that_is_added(client: Client, version: str) -> None:
    """A server that runs takes a new session from the moment on at which it is told, until it expires."""
    newcomer = sts_client(client.server, version, "STS.new", "secret new", "token new")
    assert newcomer.send("GET", "a").code == "InvalidAccessKeyId"
    client.server.add_sts_session(StsSession("STS.new", "secret new", "token new", expires_at=time.time() + 3600))
    assert newcomer.send("GET", "a").body == b"x"


def test_presigned_with_a_session(client: Client, version: str) -> None:
    """A URL presigned with a session carries its token, and is worthless without it."""
    target = presigned(sts_client(client.server, version, "STS.one", "secret one", "token one"))
    assert get(client, target).body == b"x"
    parts = urlsplit(target)
    query = {name: value for name, value in parse_qsl(parts.query) if not name.endswith("security-token")}
    assert get(client, f"{parts.path}?{urlencode(query)}").code == "InvalidAccessKeyId"


def anonymous(client: Client) -> dict[str, int]:
    """The status of each kind of anonymous request."""
    target = client.target("a", None)
    return {
        "get": get(client, target).status,
        "head": get(client, target, method="HEAD").status,
        "list": get(client, "/exports/").status,
        "put": send(client.server.endpoint, "PUT", "/exports/new", body=b"x").status,
        "delete": get(client, "/exports/new", method="DELETE").status,
        "acl": get(client, f"{target}?acl").status,
        "buckets": get(client, "/").status,
        "create": get(client, "/another", method="PUT").status,
    }


def test_anonymous_access(client: Client) -> None:
    """Without a signature only what the bucket's ACL opens is allowed, and nothing of the owner's."""
    nothing = dict.fromkeys(["get", "head", "list", "put", "delete", "acl", "buckets", "create"], 403)
    assert anonymous(client) == nothing
    client.allow_public_access()
    client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "public-read"})
    assert anonymous(client) == nothing | {"get": 200, "head": 200, "list": 200}
    client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "public-read-write"})
    assert anonymous(client) == nothing | {"get": 200, "head": 200, "list": 200, "put": 200, "delete": 204}


def test_an_object_of_its_own_acl(client: Client) -> None:
    """An object's own ACL opens or closes it, whatever its bucket's is."""
    client.allow_public_access()
    client.send("PUT", "a", {"acl": ""}, {"x-oss-object-acl": "public-read"})
    assert get(client, client.target("a", None)).body == b"x"
    client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "public-read"})
    client.send("PUT", "a", {"acl": ""}, {"x-oss-object-acl": "private"})
    assert get(client, client.target("a", None)).code == "AccessDenied"


def test_anonymous_overrides(client: Client) -> None:
    """The response-* parameters are for signed requests only."""
    client.allow_public_access()
    client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "public-read"})
    answer = get(client, f"{client.target('a', None)}?response-content-type=text/x")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_credentials_are_shown_nowhere(server: OSSEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """No `repr` of what a user holds, and no log line, has a secret or a token."""
    with caplog.at_level("DEBUG"):
        Client(server).send("GET", "a")
    shown = repr(server) + repr(StsSession("id", "hidden secret", "hidden token")) + repr(vars(server)) + caplog.text
    for secret in (SECRET, "hidden secret", "hidden token", "secret one", "token one"):
        assert secret not in shown
