"""The errors OSS answers: one table from code to status, EC and message, and the exception that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    message: str
    ec: str = ""


_KINDS: dict[str, _Kind] = {
    "AccessDenied": _Kind(403, "AccessDenied", "0003-00000001"),
    "AccessKeyIdAndSecurityTokenNotMatch": _Kind(
        403, "The access key id and the security token do not belong to the same session.", "0002-00000004"
    ),
    "BucketAlreadyExists": _Kind(
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.",
        "0015-00000104",
    ),
    "BucketNotEmpty": _Kind(409, "The bucket you tried to delete is not empty.", "0015-00000301"),
    "CallbackFailed": _Kind(203, "The callback of this request failed.", "0007-00000203"),
    "EntityTooLarge": _Kind(400, "Your proposed upload exceeds the maximum allowed size.", "0017-00000503"),
    "EntityTooSmall": _Kind(400, "Your proposed upload smaller than the minimum allowed size.", "0042-00000213"),
    "FileAlreadyExists": _Kind(
        409, "The object you specified already exists and can not be overwritten.", "0042-00000214"
    ),
    "InternalError": _Kind(500, "We encountered an internal error. Please try again.", "0000-00000001"),
    "InvalidAccessKeyId": _Kind(
        403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
    ),
    "InvalidArgument": _Kind(400, "Invalid Argument.", "0017-00000901"),
    "InvalidBucketName": _Kind(400, "The specified bucket is not valid.", "0015-00000001"),
    "InvalidDigest": _Kind(
        400, "The Content-MD5 you specified is invalid or does not match the data received.", "0017-00000502"
    ),
    "InvalidEncryptionAlgorithmError": _Kind(
        400, "The encryption request you specified is not valid. Supported values: AES256, KMS, SM4.", "0017-00000801"
    ),
    "InvalidObjectName": _Kind(400, "The specified object is not valid.", "0002-00000201"),
    "InvalidObjectState": _Kind(
        403, "The operation is not valid for the object's state: it is archived and not restored.", "0026-00000013"
    ),
    "InvalidPart": _Kind(
        400,
        "One or more of the specified parts could not be found or the specified entity tag might not have matched "
        "the part's entity tag.",
        "0042-00000208",
    ),
    "InvalidPartOrder": _Kind(400, "The list of parts was not in ascending order.", "0042-00000209"),
    "InvalidPolicyDocument": _Kind(400, "The content of the form does not meet the conditions in the policy document."),
    "InvalidRange": _Kind(416, "The requested range cannot be satisfied.", "0026-00000014"),
    "InvalidSecurityToken": _Kind(403, "The security token you provided is invalid.", "0002-00000006"),
    "InvalidTargetType": _Kind(400, "The symbolic's target file type is invalid."),
    "InvalidTag": _Kind(400, "The tag you specified is invalid.", "0017-00000812"),
    "MalformedXML": _Kind(
        400,
        "The XML you provided was not well-formed or did not validate against our published schema.",
        "0042-00000204",
    ),
    "MethodNotAllowed": _Kind(405, "The specified method is not allowed against this resource.", "0004-00000001"),
    "MissingArgument": _Kind(400, "Missing Some Required Arguments.", "0016-00000606"),
    "MissingContentLength": _Kind(411, "You must provide the Content-Length HTTP header.", "0017-00000101"),
    "NoSuchBucket": _Kind(404, "The specified bucket does not exist.", "0015-00000101"),
    "NoSuchBucketPolicy": _Kind(404, "The bucket policy does not exist."),
    "NoSuchKey": _Kind(404, "The specified key does not exist.", "0026-00000001"),
    "NoSuchLifecycle": _Kind(404, "No Row found in Lifecycle Table."),
    "NoSuchUpload": _Kind(
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        "0042-00000002",
    ),
    "NoSuchVersion": _Kind(404, "The specified version does not exist."),
    "NotSymlink": _Kind(400, "The object is not a symbolic link."),
    "NotImplemented": _Kind(501, "A header or parameter you provided implies functionality that is not implemented."),
    "ObjectNotAppendable": _Kind(409, "The object is not appendable.", "0026-00000017"),
    "PositionNotEqualToLength": _Kind(409, "Position is not equal to file length", "0026-00000016"),
    "PreconditionFailed": _Kind(412, "At least one of the pre-conditions you specified did not hold.", "0026-00000006"),
    "RequestTimeout": _Kind(
        400,
        "Your socket connection to the server was not read from or written to within the timeout period.",
        "0017-00000504",
    ),
    "RequestTimeTooSkewed": _Kind(
        403, "The difference between the request time and the current time is too large.", "0002-00000504"
    ),
    "SecurityTokenExpired": _Kind(403, "The security token you provided has expired.", "0002-00000007"),
    "SignatureDoesNotMatch": _Kind(
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        "0002-00000040",
    ),
    "SymlinkTargetNotExist": _Kind(404, "The symbolic's target file does not exist."),
    "TooManyBuckets": _Kind(400, "You have attempted to create more buckets than allowed.", "0015-00000102"),
    "ServiceUnavailable": _Kind(503, "Please reduce your request rate.", "0008-00000001"),
}

_UNKNOWN_KIND: Final = _Kind(500, "The request failed.")


class OSSError(Exception):
    """
    An answer of OSS that is an error: code, HTTP status, message, EC, extra XML elements and headers.

    Status, message and EC default to those of the code; a code that the table lacks has 500.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        ec: str | None = None,
        extra: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        kind = _KINDS.get(code, _UNKNOWN_KIND)
        self.code = code
        self.status = kind.status if status is None else status
        self.message = kind.message if message is None else message
        self.ec = kind.ec if ec is None else ec
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        super().__init__(f"{self.status} {code}: {self.message}")


class NotModifiedError(Exception):
    """A condition of the request says that the client's copy, whose ETag this is, is good: 304 without a body."""

    def __init__(self, etag: str) -> None:
        self.etag = etag
        super().__init__(etag)


def invalid_argument(name: str, value: str, message: str | None = None, ec: str | None = None) -> OSSError:
    """400 InvalidArgument that names the argument and its value."""
    text = message or f"Argument {name} is invalid."
    return OSSError("InvalidArgument", text, ec=ec, extra={"ArgumentName": name, "ArgumentValue": value})


def not_implemented(what: str) -> OSSError:
    """501 NotImplemented that names what this server lacks."""
    return OSSError("NotImplemented", f"{what} is not implemented by this server.")
