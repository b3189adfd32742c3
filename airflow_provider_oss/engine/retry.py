"""
How calls are made: which failed ones are repeated and when, how credentials are renewed, and the means for both.

A lost answer does not mean undone work. After a repeated Complete a "no such upload" may mean success, so the engine
looks at the object; after a repeated Initiate the first upload id may be lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from airflow_provider_oss.cancellation import Cancellation, nothing, pause
from airflow_provider_oss.engine.progress import UNWATCHED, LogIntervals, SystemClock
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSClockCorrected,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSCredentialsUnavailable,
    OSSProviderError,
    OSSServiceUnavailable,
    OSSSourceUnavailable,
    OSSWorkerExhausted,
)
from airflow_provider_oss.file_range import Body
from airflow_provider_oss.limits import MAX_PARTS
from airflow_provider_oss.model import (
    CompletedPart,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.ports import Clock, SendingClient, TransferWatcher
from airflow_provider_oss.shown import Log

Answer = TypeVar("Answer")
Client_co = TypeVar("Client_co", covariant=True)

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How often a call is tried in all, and the bounds of the random pause between tries (exponential, full jitter).

    With the defaults a call that keeps failing is given up after 5 tries with at most 7.5 seconds of pauses.
    """

    tries: int = 5
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 20.0


_INTERNAL_ERROR_STATUS = 500
_WORTH_REPEATING = (
    OSSConnectionError,
    OSSServiceUnavailable,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSClockCorrected,
    OSSCredentialsUnavailable,
    OSSSourceUnavailable,
    OSSWorkerExhausted,
)


def cannot_renew() -> bool:
    """Stand for credentials that cannot be renewed."""
    return False


def is_worth_repeating(error: BaseException) -> bool:
    """Whether the same call may succeed when it is simply made again."""
    return isinstance(error, _WORTH_REPEATING)


_IF_WORTH_REPEATING: Final = retry_if_exception(is_worth_repeating)


def may_have_been_done(error: BaseException) -> bool:
    """Whether OSS may have done what was asked although the call failed: its answer was lost or not understood."""
    if isinstance(error, OSSServiceUnavailable):
        return error.details.http_status == _INTERNAL_ERROR_STATUS  # busy answers come before the work
    return isinstance(error, OSSConnectionError | OSSBadResponse)


class Repeating(Protocol):
    """What repeats a call: tenacity's loop, or ``Means.call``."""

    def __call__(self, work: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Answer:
        """Return what ``work`` returns; make the call again where that may help."""


def make_retrying(
    policy: RetryPolicy,
    stopping: threading.Event | None = None,
    tried: Callable[[str], str] = str,
    check: Callable[[], None] = nothing,
    repeated: Callable[[str], None] = UNWATCHED.repeated,
) -> Retrying:
    """
    Return tenacity's loop for ``policy``: it raises the last error with the number of tries, and logs each repetition.

    Once ``stopping`` is set it neither pauses nor repeats. ``tried`` may add to the words that say what was tried. A
    pause ends as ``pause`` says. ``repeated`` is called, with words that say what failed, before each repetition.
    """
    stopping = stopping or threading.Event()

    def give_up(state: RetryCallState) -> NoReturn:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, OSSProviderError)  # noqa: S101 - is_worth_repeating says so
        tries = tried("1 try" if state.attempt_number == 1 else f"{state.attempt_number} tries")
        cut_short = state.attempt_number < policy.tries
        outcome = f"not repeated after {tries}: the transfer stops" if cut_short else f"given up after {tries}"
        raise type(error)(f"{error.message}; {outcome}", error.details) from error.__cause__

    def note_repetition(state: RetryCallState) -> None:
        pause_seconds = state.next_action.sleep if state.next_action else 0.0
        error = state.outcome.exception() if state.outcome else None
        log.warning("Try %d failed, trying again in %.1f s: %s", state.attempt_number, pause_seconds, error)
        part = error.details.part_number if isinstance(error, OSSProviderError) else None
        repeated(f"{'Try' if part is None else f'Part {part}: try'} {state.attempt_number} failed: {error}")

    return Retrying(
        stop=stop_any(stop_after_attempt(policy.tries), stop_when_event_set(stopping)),
        wait=wait_random_exponential(multiplier=policy.first_delay_seconds, max=policy.longest_delay_seconds),
        retry=_IF_WORTH_REPEATING,
        before_sleep=note_repetition,
        sleep=partial(pause, check=check, stopping=stopping),
        retry_error_callback=give_up,
    )


@dataclass(frozen=True, slots=True)
class Means(Generic[Client_co]):
    """What every transfer is given: a client of OSS, and how its calls are repeated, renewed, stopped and timed."""

    client: Client_co
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    renew_credentials: Callable[[], bool] = cannot_renew
    """Called in the caller's thread when OSS refuses the credentials; returns whether there are others now, with which
    the client signs from then on."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=SystemClock)
    watcher: TransferWatcher = UNWATCHED
    log_intervals: LogIntervals = field(default_factory=LogIntervals)

    def call(self, work: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Answer:
        """Return what ``work`` returns: repeated as ``retry`` says, and as ``renewing`` does."""
        retrying = self.retrying()
        return self.renewing(lambda: retrying(work, *args, **kwargs))

    def retrying(self, stopping: threading.Event | None = None, tried: Callable[[str], str] = str) -> Retrying:
        """Return the loop that repeats a call and renews nothing, for any thread. See ``make_retrying``."""
        return make_retrying(self.retry, stopping, tried, self.cancellation.check, self.watcher.repeated)

    def renewing(self, work: Callable[[], Answer]) -> Answer:
        """Return what ``work`` returns; do it anew as often as there are other credentials for those that expired."""
        while True:
            try:
                return work()
            except OSSCredentialsExpired as error:
                self._renew(error)

    def outliving(self, work: Callable[[], Answer]) -> Answer:
        """
        Do as ``renewing``; once more, too, when OSS refuses the AccessKey and there is another one by now.

        For what lives long, a wait or a filesystem. A refusal may as well be a policy's, so there is no third time.
        """
        try:
            return self.renewing(work)
        except OSSAccessDenied as error:
            self._renew(error)
        return self.renewing(work)

    def _renew(self, error: OSSProviderError) -> None:
        """Renew the credentials; raise the error when there are no others."""
        if not self.renew_credentials():
            raise error
        log.info("%s: going on with new credentials: %s", _place(error), error)


def _place(error: OSSProviderError) -> str:
    bucket, key = error.details.bucket, error.details.key
    return "OSS" if bucket is None else f"oss://{bucket}/{key or ''}"


def raising(error: Exception) -> Callable[[], NoReturn]:
    """Return what is called for the answer of a call that has failed before: it raises the error."""

    def answer() -> NoReturn:
        raise error

    return answer


Failed: TypeAlias = Callable[[OSSProviderError], None]
"""Called with a failure that is worth repeating, in the thread of the call; what it raises ends the call."""


def _ignore(_: OSSProviderError) -> None:
    """Stand for nobody who wants to know of failures."""


@contextmanager
def _reporting(failed: Failed) -> Iterator[None]:
    """Report a failure of the block that is worth repeating. Inside of what is repeated, so the last one too."""
    try:
        yield
    except OSSProviderError as error:
        if is_worth_repeating(error):
            failed(error)
        raise


class RetryingClient:
    """
    An ObjectClient whose calls are those of another one, made by ``call``, which repeats them.

    Each try to send a part is made inside ``in_flight()``, which may let it wait, and gives what is called when all is
    sent and only the answer is to come. ``begin_failed`` is called with each failure to begin an upload, and
    ``part_failed`` with each to send or to copy a part; the last one of a call is not left out.
    """

    def __init__(
        self,
        client: SendingClient,
        call: Repeating,
        *,
        in_flight: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: nullcontext(nothing),
        begin_failed: Failed = _ignore,
        part_failed: Failed = _ignore,
    ) -> None:
        self._client = client
        self._call = call
        self._in_flight = in_flight
        self._begin_failed = begin_failed
        self._part_failed = part_failed

    @property
    def sums_what_it_sends(self) -> bool:
        """The client's."""
        return self._client.sums_what_it_sends

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        """Repeatable: the same bytes replace themselves; with forbid_overwrite the engine looks at the object."""
        return self._call(self._client.put_object, ref, body, crc64, options)

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """Repeatable."""
        return self._call(self._client.head_object, ref)

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        """Repeatable for a caller who looks for lost uploads: each call whose answer was lost may have begun one."""

        def initiate() -> str:
            with _reporting(self._begin_failed):
                return self._client.initiate_multipart_upload(ref, options)

        return self._call(initiate)

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        """Repeatable: a part replaces the part of its number."""

        def upload_part() -> CompletedPart:
            with _reporting(self._part_failed), self._in_flight() as sent:
                answer = self._client.begin_upload_part(ref, upload_id, part_number, body, crc64, options)
                sent()
                return answer()

        return self._call(upload_part)

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        """Repeatable, as put_object is."""
        return self._call(self._client.copy_object, source, ref, options)

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        """Repeatable: a part replaces the part of its number. It is in flight until the answer is there."""

        def upload_part_copy() -> CompletedPart:
            with _reporting(self._part_failed), self._in_flight():
                return self._client.upload_part_copy(ref, upload_id, part_number, source, options)

        return self._call(upload_part_copy)

    def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> Sequence[StoredPart]:
        """Repeatable."""
        return self._call(self._client.list_parts, ref, upload_id, first, last)

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        """Repeatable for a caller who looks at the object when the upload is gone."""
        return self._call(self._client.complete_multipart_upload, ref, upload_id, tuple(parts), options)

    def list_uploads(self, ref: ObjectRef) -> Sequence[ListedUpload]:
        """Repeatable."""
        return self._call(self._client.list_uploads, ref)

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        """Repeatable for a caller to whom a missing upload is fine."""
        self._call(self._client.abort_multipart_upload, ref, upload_id)
