"""
Every error this package raises.

::

    OSSProviderError
    ├── OSSTransientError               another attempt may succeed: Airflow should retry the task
    │   ├── OSSConnectionError          (ConnectionError) no connection, or it broke
    │   │   └── OSSConnectionTimeout    (TimeoutError) nothing moved for longer than a timeout
    │   ├── OSSServiceUnavailable       OSS answered 5xx, 429 or RequestTimeout
    │   ├── OSSBadResponse              the answer could not be understood
    │   ├── OSSChecksumMismatch         what OSS holds is not what was sent
    │   ├── OSSCredentialsExpired       the security token has expired
    │   ├── OSSCredentialsUnavailable   the source of the credentials cannot be asked now
    │   ├── OSSClockSkew                this machine's clock is more than 15 minutes off
    │   │   └── OSSClockCorrected       so it was, and from now on OSS's own time is used
    │   ├── OSSSourceChanged            the source changed while it was read
    │   ├── OSSInvalidPart              Complete named a part that OSS does not hold like that
    │   ├── OSSSourceUnavailable        (ConnectionError) a source elsewhere cannot be read now
    │   ├── OSSSourceElsewhere          (FileNotFoundError) this worker does not see what an earlier attempt has read
    │   ├── OSSStreamSpent              the stream would have to be read again and cannot be
    │   ├── OSSDiskFull                 there is no room for the file to write on this worker
    │   ├── OSSWorkerExhausted          this worker has run out of descriptors, threads or memory
    │   ├── OSSUploadCancelled          the task was asked to stop
    │   └── OSSCheckpointNotSaved       the first checkpoint of an upload could not be saved
    ├── OSSPermanentError               no retry can mend it: operators fail the task at once
    │   ├── OSSInvalidArgument          (ValueError) an argument that cannot work
    │   │   ├── OSSInvalidConnection    the Airflow connection is incomplete or wrong
    │   │   ├── OSSInvalidSource        the source to upload or to copy is missing, no file, or unreadable
    │   │   │   └── OSSSourceMissing    (FileNotFoundError) there is no such file on this worker
    │   │   └── OSSInvalidTarget        the file to write is a directory, may not be written, or is in the way
    │   ├── OSSPlanOutdated             what many tasks do together has to be planned again, or is not complete
    │   ├── OSSAccessDenied             (PermissionError) OSS refused: key, signature or RAM policy
    │   ├── OSSCredentialsRefused       (PermissionError) the source of the credentials gives none
    │   ├── OSSCertificateError         the server's TLS certificate is not trusted
    │   ├── OSSNoSuchBucket             (FileNotFoundError)
    │   ├── OSSObjectAlreadyExists      (FileExistsError) forbid_overwrite, and another object is there
    │   ├── OSSCallbackFailed           the object is stored, the callback to the application failed
    │   ├── OSSFileNotClosed            a file that was written is not closed at the end of the task, so it is lost
    │   ├── OSSObjectsDeleted           a sensor that allows no deletion has seen one
    │   └── OSSRequestRejected          any other 4xx answer
    ├── OSSNotFound                     (LookupError) answers a question: the thing is not there
    │   ├── OSSNoSuchKey                (FileNotFoundError)
    │   └── OSSNoSuchUpload
    └── OSSCheckpointUnreadable         a stored checkpoint does not follow its schema

What this worker has run out of: descriptors, threads or memory. It passes, and the error says which limit it was.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Final

from airflow_provider_oss.shown import host_name, printable, shortened


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """Where an error happened and how OSS named it. Every field may be unknown (None)."""

    bucket: str | None = None
    key: str | None = None
    upload_id: str | None = None
    part_number: int | None = None
    http_status: int | None = None
    code: str | None = None
    """OSS's error code, such as AccessDenied."""
    ec: str | None = None
    """OSS's finer error number, such as 0003-00000001, which its documentation is indexed by."""
    request_id: str | None = None

    def __str__(self) -> str:
        known = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name}={printable(shortened(str(value)))}" for name, value in known if value is not None)


NO_DETAILS = ErrorDetails()


class OSSProviderError(Exception):
    """Base of all errors of this package. ``details`` says where it happened; the text, one line, repeats it."""

    def __init__(self, message: str, details: ErrorDetails = NO_DETAILS) -> None:
        super().__init__(message, details)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        where, message = str(self.details), printable(self.message)
        return f"{message} [{where}]" if where else message


class OSSTransientError(OSSProviderError):
    """Another attempt may succeed."""


class OSSConnectionError(OSSTransientError, ConnectionError):
    """No connection to OSS could be made, or it broke."""


class OSSConnectionTimeout(OSSConnectionError, TimeoutError):
    """Connecting took longer than ``connect_timeout``, or nothing moved for longer than ``read_timeout``."""


class OSSServiceUnavailable(OSSTransientError):
    """OSS answered that it cannot serve the request now (5xx, 429, RequestTimeout)."""


class OSSBadResponse(OSSTransientError):
    """OSS, or something between, sent an answer that cannot be understood."""


class OSSChecksumMismatch(OSSTransientError):
    """The CRC-64 or MD5 of what OSS received differs from that of what was sent."""


class OSSCredentialsExpired(OSSTransientError):
    """The security token of the connection has expired or is not valid."""


class OSSCredentialsUnavailable(OSSTransientError):
    """The source of the credentials (metadata service, STS, URI) cannot be asked now. Nothing was sent to OSS."""


class OSSClockSkew(OSSTransientError):
    """The clock of this machine differs from OSS's by more than 15 minutes."""


class OSSClockCorrected(OSSClockSkew):
    """The clock of this machine differs from OSS's by more than 15 minutes; OSS's time is used from now on."""


class OSSSourceChanged(OSSTransientError):
    """The source changed while it was read; the next attempt sends the parts that differ."""


class OSSInvalidPart(OSSTransientError):
    """CompleteMultipartUpload named a part that OSS does not hold, or holds with another ETag: somebody else sends."""


class OSSSourceUnavailable(OSSTransientError, ConnectionError):
    """A source that is not on this worker cannot be read now: no connection, it broke, or its server is busy."""


class OSSSourceElsewhere(OSSTransientError, FileNotFoundError):
    """This worker does not see a file that an earlier attempt of the task has read, as its checkpoint shows."""


class OSSStreamSpent(OSSTransientError):
    """The upload has to begin anew, and its stream can be read only once."""


class OSSDiskFull(OSSTransientError):
    """There is no room on this worker for the file to write. What has arrived of it stays, if it can be continued."""


class OSSWorkerExhausted(OSSTransientError):
    """This process, its container or its machine has no descriptor, thread or memory left: which says the text."""


class OSSUploadCancelled(OSSTransientError):
    """The upload was asked to stop. What OSS holds so far stays for the next attempt."""


class OSSCheckpointNotSaved(OSSTransientError):
    """The checkpoint of a new upload could not be saved; the new upload was aborted, nothing is left of it."""


class OSSPermanentError(OSSProviderError):
    """No retry can mend it."""


class OSSInvalidArgument(OSSPermanentError, ValueError):
    """An argument that cannot work. Nothing was sent."""


class OSSInvalidConnection(OSSInvalidArgument):
    """The Airflow connection is incomplete or wrong. Nothing was sent."""


class OSSInvalidSource(OSSInvalidArgument):
    """The file, object or other source is missing, is no file, or may not be read. Nothing is published."""


class OSSSourceMissing(OSSInvalidSource, FileNotFoundError):
    """There is no such file or directory on this worker, which the text names. Nothing is published."""


class OSSInvalidTarget(OSSInvalidArgument):
    """The file to write is a directory, may not be written, or may not be replaced. It is as it was."""


class OSSPlanOutdated(OSSPermanentError):
    """
    What was planned for many tasks cannot be done any more: the source is another one, or the upload is gone.

    Or a task's result is missing, or of another plan. The text says which task to clear. Nothing is aborted.
    """


class OSSAccessDenied(OSSPermanentError, PermissionError):
    """OSS refused: unknown AccessKey, wrong secret, or no permission for this action."""


class OSSCredentialsRefused(OSSPermanentError, PermissionError):
    """The source of the credentials has none, or refuses them. Nothing was sent to OSS."""


class OSSCertificateError(OSSPermanentError):
    """The TLS certificate of the endpoint, or of STS, is not trusted. Nothing was sent."""


class OSSNoSuchBucket(OSSPermanentError, FileNotFoundError):
    """The bucket does not exist."""


class OSSObjectAlreadyExists(OSSPermanentError, FileExistsError):
    """``forbid_overwrite`` was asked for and a different object has this key."""


class OSSCallbackFailed(OSSPermanentError):
    """The object is stored, but the application did not acknowledge the callback (OSS API: Callback, 203)."""


class OSSFileNotClosed(OSSPermanentError):
    """A file of the filesystem was written and not closed when the task ended: nothing of it is stored."""


class OSSObjectsDeleted(OSSPermanentError):
    """Objects were deleted while a sensor waited that allows no deletion; another attempt would not know of them."""


class OSSRequestRejected(OSSPermanentError):
    """OSS rejected the request with a 4xx answer that has no class of its own."""


class OSSNotFound(OSSProviderError, LookupError):
    """The thing asked for is not there."""


class OSSNoSuchKey(OSSNotFound, FileNotFoundError):
    """The object does not exist."""


class OSSNoSuchUpload(OSSNotFound):
    """The multipart upload does not exist: completed, aborted, expired, or never begun."""


class OSSCheckpointUnreadable(OSSProviderError):
    """A stored checkpoint is not JSON or does not follow the checkpoint schema."""


def seen_elsewhere(what: str) -> OSSSourceElsewhere:
    """Return the error for what is not on this worker although a checkpoint shows that an earlier attempt read it."""
    return OSSSourceElsewhere(
        f"{what} is not on this worker, {host_name()}, and an earlier attempt has read it elsewhere: put it on a "
        "volume that all workers share, or give the task a queue whose workers see it"
    )


def _too_many_files() -> str:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"this process may have {limit} files and connections open (RLIMIT_NOFILE): raise it, or lower parallel"


def _no_memory() -> str:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    own = "no limit of its own" if limit == resource.RLIM_INFINITY else f"a limit of {limit} bytes (RLIMIT_AS)"
    return f"memory ran out; this process has {own}, its container or machine may: lower part_size or parallel"


_LIMITS: Final[dict[int, Callable[[], str]]] = {
    errno.EMFILE: _too_many_files,
    errno.ENFILE: lambda: "this machine has as many files open as it may (fs.file-max): raise it, or run fewer tasks",
    errno.ENOMEM: _no_memory,
}
"""Of errors of the system that have nothing to do with what was asked for."""


def exhaustion(error: BaseException) -> OSSWorkerExhausted | None:
    """Return what the error means if this worker has run out of something; None for any other."""
    if isinstance(error, OSSProviderError):
        return None
    if isinstance(error, MemoryError):
        return OSSWorkerExhausted(_no_memory())
    limit = _LIMITS.get(error.errno or 0) if isinstance(error, OSError) else None
    return None if limit is None else OSSWorkerExhausted(f"{error.strerror}: {limit()}")  # type: ignore[attr-defined]


def no_thread() -> OSSWorkerExhausted:
    """Return the error for a thread that cannot be begun."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    own = "no limit" if limit == resource.RLIM_INFINITY else str(limit)
    return OSSWorkerExhausted(
        f"no thread can be begun: its user may have {own} of them (RLIMIT_NPROC), and its container may have a limit "
        "too (pids.max): raise it, or run fewer tasks"
    )


@contextmanager
def naming_exhaustion() -> Iterator[None]:
    """Raise OSSWorkerExhausted for what means that this worker has run out of something."""
    try:
        yield
    except (MemoryError, OSError) as error:
        if (named := exhaustion(error)) is not None:
            raise named from error
        raise
