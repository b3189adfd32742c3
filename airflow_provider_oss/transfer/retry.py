"""
Which failed calls are repeated inside an attempt, and when. The only place that repeats a call; the SDK does not.

A lost answer does not mean undone work. After a repeated Complete a "no such upload" may mean success, so the engine
looks at the object; after a repeated Initiate the first upload id may be lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSClockCorrected,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSCredentialsUnavailable,
    OSSProviderError,
    OSSServiceUnavailable,
    OSSSourceUnavailable,
)
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
from airflow_provider_oss.ports import Body, SendingClient

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


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
)


def cannot_renew() -> bool:
    """Stand for credentials that cannot be renewed."""
    return False


def renewing(renew_credentials: Callable[[], bool], subject: object, work: Callable[[], Answer]) -> Answer:
    """Do the work anew as often as new credentials can be had for those that expired."""
    while True:
        try:
            return work()
        except OSSCredentialsExpired as error:
            if not renew_credentials():
                raise
            log.info("%s: going on with new credentials: %s", subject, error)


def is_worth_repeating(error: BaseException) -> bool:
    """Whether the same call may succeed when it is simply made again."""
    return isinstance(error, _WORTH_REPEATING)


def may_have_been_done(error: BaseException) -> bool:
    """Whether OSS may have done what was asked although the call failed: its answer was lost or not understood."""
    if isinstance(error, OSSServiceUnavailable):
        return error.details.http_status == _INTERNAL_ERROR_STATUS  # busy answers come before the work
    return isinstance(error, OSSConnectionError | OSSBadResponse)


def make_retrying(
    policy: RetryPolicy,
    stopping: threading.Event,
    observe: Callable[[str, BaseException], None] | None = None,
    tried: Callable[[str], str] = str,
) -> Retrying:
    """
    Return tenacity's loop for ``policy``: it raises the last error with the number of tries, and logs each repetition.

    Once ``stopping`` is set it neither pauses nor repeats. ``observe`` is told of each failure that is worth repeating,
    the last one too: the name of the method and its error, in the thread of the call. ``tried`` may add to the words
    that say what was tried.
    """

    def after(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if observe is not None and error is not None:
            observe(getattr(state.fn, "__name__", ""), error)

    def give_up(state: RetryCallState) -> NoReturn:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, OSSProviderError)  # noqa: S101 - is_worth_repeating says so
        tries = tried("1 try" if state.attempt_number == 1 else f"{state.attempt_number} tries")
        cut_short = state.attempt_number < policy.tries
        outcome = f"not repeated after {tries}: the transfer stops" if cut_short else f"given up after {tries}"
        raise type(error)(f"{error.message}; {outcome}", error.details) from error.__cause__

    return Retrying(
        stop=stop_any(stop_after_attempt(policy.tries), stop_when_event_set(stopping)),
        wait=wait_random_exponential(multiplier=policy.first_delay_seconds, max=policy.longest_delay_seconds),
        retry=retry_if_exception(is_worth_repeating),
        after=after,
        before_sleep=_log_repetition,
        sleep=sleep_using_event(stopping),
        retry_error_callback=give_up,
    )


def _log_repetition(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    error = state.outcome.exception() if state.outcome else None
    log.warning("Try %d failed, trying again in %.1f s: %s", state.attempt_number, pause, error)


def _nothing() -> None:
    pass


class RetryingClient:
    """
    An ObjectClient that repeats the failed calls of another one as a RetryPolicy says.

    Each try to send a part is made inside ``in_flight()``, which may let it wait, and gives what is called when all is
    sent and only the answer is to come.
    """

    def __init__(
        self,
        client: SendingClient,
        retrying: Retrying,
        in_flight: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: nullcontext(_nothing),
    ) -> None:
        self._client = client
        self._call = retrying
        self._in_flight = in_flight

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        """Repeatable: the same bytes replace themselves; with forbid_overwrite the engine looks at the object."""
        return self._call(self._client.put_object, ref, body, crc64, options)

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """Repeatable."""
        return self._call(self._client.head_object, ref)

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        """Repeatable for a caller who looks for lost uploads: each call whose answer was lost may have begun one."""
        return self._call(self._client.initiate_multipart_upload, ref, options)

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int, options: ObjectOptions
    ) -> CompletedPart:
        """Repeatable: a part replaces the part of its number."""

        def upload_part() -> CompletedPart:
            with self._in_flight() as sent:
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
            with self._in_flight():
                return self._client.upload_part_copy(ref, upload_id, part_number, source, options)

        return self._call(upload_part_copy)

    def list_parts(self, ref: ObjectRef, upload_id: str) -> Sequence[StoredPart]:
        """Repeatable."""
        return self._call(self._client.list_parts, ref, upload_id)

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
