"""Every answer that is no success becomes one of our errors, with all that OSS said about it."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate

import pytest
from oss2.exceptions import OssError

from airflow_provider_oss.clients import errors
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.signing import ClockCheck, ServerClock
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSClockCorrected,
    OSSClockSkew,
    OSSCredentialsExpired,
    OSSInvalidArgument,
    OSSInvalidPart,
    OSSNoSuchBucket,
    OSSNoSuchKey,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSRequestRejected,
    OSSServiceUnavailable,
    OSSSourceChanged,
)
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.clients.support import canned_server, client_of
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "dump.bin")

ANSWERS: list[tuple[int, str, type[OSSProviderError]]] = [
    (400, "EntityTooSmall", OSSRequestRejected),
    (400, "InvalidArgument", OSSRequestRejected),
    (400, "InvalidDigest", OSSChecksumMismatch),
    (400, "InvalidPart", OSSInvalidPart),
    (400, "InvalidPartOrder", OSSRequestRejected),
    (400, "RequestTimeout", OSSServiceUnavailable),
    (401, "Unauthorized", OSSAccessDenied),
    (403, "AccessDenied", OSSAccessDenied),
    (403, "AccessKeyIdAndSecurityTokenNotMatch", OSSAccessDenied),
    (403, "InvalidAccessKeyId", OSSAccessDenied),
    (403, "InvalidObjectState", OSSAccessDenied),
    (403, "InvalidSecurityToken", OSSCredentialsExpired),
    (403, "RequestTimeTooSkewed", OSSClockSkew),
    (403, "SecurityTokenExpired", OSSCredentialsExpired),
    (403, "SignatureDoesNotMatch", OSSAccessDenied),
    (404, "NoSuchBucket", OSSNoSuchBucket),
    (404, "NoSuchKey", OSSNoSuchKey),
    (404, "NoSuchUpload", OSSNoSuchUpload),
    (405, "MethodNotAllowed", OSSRequestRejected),
    (408, "SlowDown", OSSServiceUnavailable),
    (409, "FileAlreadyExists", OSSObjectAlreadyExists),
    (409, "BucketNotEmpty", OSSRequestRejected),
    (411, "MissingContentLength", OSSRequestRejected),
    (412, "PreconditionFailed", OSSSourceChanged),
    (416, "InvalidRange", OSSRequestRejected),
    (429, "QpsLimitExceeded", OSSServiceUnavailable),
    (500, "InternalError", OSSServiceUnavailable),
    (501, "NotImplemented", OSSServiceUnavailable),
    (502, "BadGateway", OSSServiceUnavailable),
    (503, "ServiceUnavailable", OSSServiceUnavailable),
    (503, "UploadTrafficRateLimitExceeded", OSSServiceUnavailable),
]

CODES_WITHOUT_A_CLASS_OF_OUR_OWN = {
    "AccessDenied": OSSAccessDenied,
    "BucketNotEmpty": OSSRequestRejected,
    "BucketReplicationAlreadyExist": OSSRequestRejected,
    "ChannelStillLive": OSSRequestRejected,
    "InvalidArgument": OSSRequestRejected,
    "InvalidEncryptionAlgorithmError": OSSRequestRejected,
    "InvalidEncryptionRequest": OSSRequestRejected,
    "InvalidObjectName": OSSRequestRejected,
    "InvalidRequest": OSSRequestRejected,
    "InvalidWORMConfiguration": OSSRequestRejected,
    "LiveChannelDisabled": OSSRequestRejected,
    "MalformedXML": OSSRequestRejected,
    "NotImplemented": OSSRequestRejected,
    "ObjectAlreadyExists": OSSRequestRejected,
    "ObjectNotAppendable": OSSRequestRejected,
    "OperationNotSupported": OSSRequestRejected,
    "PartNotSequential": OSSRequestRejected,
    "PositionNotEqualToLength": OSSRequestRejected,
    "RestoreAlreadyInProgress": OSSRequestRejected,
    "SignatureDoesNotMatch": OSSAccessDenied,
    "WORMConfigurationLocked": OSSAccessDenied,
    # Bucket settings that are not there; none of our calls asks for them
    "NoSuchCORSConfiguration": OSSNoSuchKey,
    "NoSuchBucketPolicy": OSSNoSuchKey,
    "NoSuchInventory": OSSNoSuchKey,
    "NoSuchLifecycle": OSSNoSuchKey,
    "NoSuchLiveChannel": OSSNoSuchKey,
    "NoSuchReplicationRule": OSSNoSuchKey,
    "NoSuchServerSideEncryptionRule": OSSNoSuchKey,
    "NoSuchTransferAccelerationConfiguration": OSSNoSuchKey,
    "NoSuchWebsiteConfiguration": OSSNoSuchKey,
    "NoSuchWORMConfiguration": OSSNoSuchKey,
}
"""The error codes that oss2 2.19 has classes for and that the HTTP status alone maps, which is enough for us."""


def subclasses(of: type[OssError]) -> Iterator[type[OssError]]:
    for found in of.__subclasses__():
        yield found
        yield from subclasses(found)


@pytest.mark.parametrize(("status", "code", "expected"), ANSWERS, ids=[f"{row[0]} {row[1]}" for row in ANSWERS])
def test_answer_to_error(
    shared_server: OSSEmulator,
    shared_client: OSSObjectClient,
    status: int,
    code: str,
    expected: type[OSSProviderError],
) -> None:
    """An error answer is raised as exactly this class, with place, status, code, message and request id."""
    upload_id = shared_client.initiate_multipart_upload(REF, ObjectOptions())
    shared_server.faults.add(Fault(operation="UploadPart", status=status, code=code, message="The reason.", times=1))

    with pytest.raises(OSSProviderError, match="The reason") as caught:
        shared_client.upload_part(REF, upload_id, 7, b"data", crc64(b"data"), ObjectOptions())

    assert caught.type is expected
    details = caught.value.details
    assert (details.bucket, details.key, details.upload_id, details.part_number) == (BUCKET, REF.key, upload_id, 7)
    assert (details.http_status, details.code) == (status, code)
    assert details.request_id == shared_server.requests[-1].request_id
    for value in (BUCKET, REF.key, upload_id, code, str(details.request_id)):
        assert value in str(caught.value)


def test_ec_is_kept(server: OSSEmulator, client: OSSObjectClient) -> None:
    """The finer error number, which OSS's documentation is indexed by, is a field of the error."""
    server.faults.add(Fault(operation="PutObject", code="AccessDenied"))

    with pytest.raises(OSSAccessDenied, match="check the RAM policy") as caught:
        client.put_object(REF, b"", 0, ObjectOptions())
    assert caught.value.details.ec == "0003-00000001"


def test_error_of_a_head_request(server: OSSEmulator, client: OSSObjectClient) -> None:
    """An answer to HEAD has no body: code, message and EC come from its headers."""
    server.faults.add(Fault(operation="HeadObject", code="AccessDenied"))

    with pytest.raises(OSSAccessDenied) as caught:
        client.head_object(REF)
    assert (caught.value.details.code, caught.value.details.ec) == ("AccessDenied", "0003-00000001")


@pytest.mark.parametrize(
    ("ref", "expected"),
    [(ObjectRef(BUCKET, "absent"), OSSNoSuchKey), (ObjectRef("absent-bucket", "k"), OSSNoSuchBucket)],
    ids=["key", "bucket"],
)
def test_missing_key_is_not_missing_bucket(
    shared_client: OSSObjectClient, ref: ObjectRef, expected: type[OSSProviderError]
) -> None:
    """That the object is not there and that its bucket is not there are two errors, also for HEAD."""
    for call in (lambda: shared_client.head_object(ref), lambda: shared_client.get_object(ref, None)):
        with pytest.raises(OSSProviderError) as caught:
            call()
        assert caught.type is expected


def test_every_error_class_of_oss2_is_known() -> None:
    """Each code that oss2 has a class for has one of ours, or is listed here as one that needs none."""
    coded = {found.code: found for found in subclasses(OssError) if getattr(found, "code", "")}
    own = set(errors._BY_CODE)
    uncoded = {found.__name__ for found in subclasses(OssError) if not getattr(found, "code", "")}

    # A select query, which we never make
    assert set(coded) - own - {"SelectOperationFailed"} == set(CODES_WITHOUT_A_CLASS_OF_OUR_OWN)
    assert uncoded == {
        *("ClientError", "RequestError", "InconsistentError", "OpenApiFormatError", "OpenApiServerError"),
        *("SelectOperationClientError", "ServerError", "NotFound", "Conflict", "NotModified"),
    }
    for code, expected in CODES_WITHOUT_A_CLASS_OF_OUR_OWN.items():
        assert errors._error_class(coded[code].status, code) is expected


def test_remedies_belong_to_codes() -> None:
    """A remedy is written for codes that are errors of the caller, and each of these is a class of ours."""
    for code in errors._REMEDIES:
        assert errors._error_class(403, code) in (
            OSSAccessDenied,
            OSSClockSkew,
            OSSCredentialsExpired,
            OSSNoSuchBucket,
            OSSSourceChanged,
        )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            {"Code": "AccessDenied", "Endpoint": "oss-cn-beijing.aliyuncs.com", "EC": "0003-00001403"},
            "set the connection's host (endpoint) to oss-cn-beijing.aliyuncs.com",
        ),
        ({"Code": "InvalidArgument", "EC": "0002-00000226"}, "set region in the connection's extra"),
        ({"Code": "AccessDenied", "EC": "0003-00000001"}, "check the RAM policy"),
    ],
)
def test_remedy_is_the_closest(said: dict[str, str], remedy: str) -> None:
    """Where OSS names the right endpoint that is the remedy; an EC of ours says more than its code."""
    error = errors.answer_error(403, {}, said | {"Message": "No."}, ErrorDetails(BUCKET), has_document=True)
    assert error.message.startswith(f"No; {remedy}")


@pytest.mark.parametrize("error", [KeyError("no header"), ValueError("no number")], ids=["header", "number"])
def test_answers_that_cannot_be_read(error: Exception) -> None:
    """What is raised about an answer that cannot be read is a bad response with the place and the cause."""
    details = ErrorDetails(BUCKET, "k")
    with pytest.raises(OSSBadResponse, match=r"no (header|number)") as caught, errors.renamed(details):
        raise error
    assert caught.value.details is details
    assert caught.value.__cause__ is error


def test_our_own_errors_pass() -> None:
    """An error of ours that is a ValueError too is passed on as it is."""
    error = OSSInvalidArgument("as it is")
    with pytest.raises(OSSInvalidArgument) as caught, errors.renamed(ErrorDetails()):
        raise error
    assert caught.value is error


PAGE = b"<html>gateway</html>"
PAGE_HEADERS = {"Content-Type": "text/html", "Content-Length": str(len(PAGE))}


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_in_trouble(status: int) -> None:
    """An error page of a gateway that does not reach OSS is a passing fault; it has no code and no request id."""
    with (
        canned_server(status, PAGE_HEADERS, PAGE, request_id=None) as url,
        pytest.raises(OSSServiceUnavailable, match=f"HTTP status {status}") as caught,
    ):
        client_of(url).put_object(REF, b"", 0, ObjectOptions())
    assert caught.value.details == ErrorDetails(BUCKET, REF.key, http_status=status)


@pytest.mark.parametrize("status", [200, 203, 302, 400, 403, 404])
def test_answer_of_something_between(status: int) -> None:
    """A page that is not OSS's says nothing: nothing counts as stored, missing, gone or refused because of it."""
    with canned_server(status, PAGE_HEADERS, PAGE, request_id=None) as url:
        client = client_of(url)
        for call in (
            lambda: client.put_object(REF, b"", 0, ObjectOptions()),
            lambda: client.head_object(REF),
            lambda: client.get_object(REF, None),
            lambda: client.abort_multipart_upload(REF, "U1"),
            lambda: client.delete_object(REF),
        ):
            with pytest.raises(OSSBadResponse, match=f"HTTP status {status} without x-oss-request-id") as caught:
                call()
            assert caught.value.details.http_status is None


@pytest.mark.parametrize("status", [400, 403, 404])
def test_error_without_a_code(status: int) -> None:
    """An error document of OSS's that arrives damaged is a bad response, never a missing object or a refusal."""
    with (
        canned_server(status, PAGE_HEADERS, PAGE) as url,
        pytest.raises(OSSBadResponse, match=f"HTTP status {status} with a body that says no code"),
    ):
        client_of(url).put_object(REF, b"", 0, ObjectOptions())


REFUSED_TIME = OSSClockSkew("RequestTimeTooSkewed", ErrorDetails(BUCKET))


@pytest.mark.parametrize("date", ["", "soon", formatdate(1_000_059, usegmt=True)], ids=["none", "garbled", "near"])
def test_refused_time_that_cannot_be_corrected(date: str) -> None:
    """Where OSS does not tell its time, or tells ours, the same request again would be refused again."""
    clock = ServerClock(lambda: 1_000_000.0)
    assert ClockCheck(clock).corrected(REFUSED_TIME, {"date": date}) is REFUSED_TIME
    assert clock.offset_seconds == 0


def test_refused_time_is_corrected() -> None:
    """The clock goes by the time of the refusal, and the error says that the next request is signed otherwise."""
    clock = ServerClock(lambda: 1_000_000.0)
    error = ClockCheck(clock).corrected(REFUSED_TIME, {"date": formatdate(1_001_200, usegmt=True)})
    assert isinstance(error, OSSClockCorrected)
    assert error.details == REFUSED_TIME.details
    assert clock.now() == 1_001_200


def test_time_corrected_meanwhile() -> None:
    """A request that was on its way while another corrected the clock is worth repeating too."""
    clock, headers = ServerClock(lambda: 1_000_000.0), {"date": formatdate(1_001_200, usegmt=True)}
    before = ClockCheck(clock)
    clock.correct(1_001_200)
    assert isinstance(before.corrected(REFUSED_TIME, headers), OSSClockCorrected)
    # its time was right from the beginning
    assert ClockCheck(clock).corrected(REFUSED_TIME, headers) is REFUSED_TIME
