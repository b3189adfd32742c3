"""One attempt of a task that transfers: recorded, measured, and when it fails explained in one line of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, redact

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.engine.progress import SystemClock, amount
from airflow_provider_oss.exceptions import OSSPermanentError, OSSUploadCancelled
from airflow_provider_oss.progress.metrics import report_attempt
from airflow_provider_oss.progress.places import place_of
from airflow_provider_oss.progress.record import FAILED, STOPPED, SUCCEEDED, TransferRecord, words_of
from airflow_provider_oss.progress.recorder import AttemptName, TransferRecorder
from airflow_provider_oss.shown import Log, shortened
from airflow_provider_oss.uri import redacted

log = Log(__name__)

_MAX_LINE_CHARS: Final = 1000


def recorder_of(
    kind: str, target: str, context: Mapping[str, Any], cancellation: Cancellation, *, may_push: bool
) -> TransferRecorder:
    """
    Return what watches the attempt of this context; it knows what earlier attempts have left in the task's own place.

    :param kind: one word of lower case for the kind of transfer.
    :param may_push: the task's ``do_xcom_push``.
    """
    number = getattr(context["ti"], "try_number", 1)
    place = place_of(context, may_push=may_push)
    recorder = TransferRecorder(AttemptName(kind, number, target), place, SystemClock(), cancellation, _masked)
    recorder.look_back()
    return recorder


@contextmanager
def recorded(recorder: TransferRecorder, context: Mapping[str, Any]) -> Iterator[None]:
    """
    Record how the block ends, report that as metrics, and say in one line why it fails; the error is passed on.

    An attempt that was asked to stop, or is left by what is no Exception (a timeout, a signal), is left at once: its
    record stays what it was, and the next attempt's says that it was killed.
    """
    try:
        yield
    except OSSUploadCancelled:
        raise
    except AirflowSkipException as skipped:
        report_attempt(recorder.end(STOPPED, skipped))
        raise
    except Exception as error:
        log.error("%s", failure_line(error, context, recorder.record()))  # noqa: TRY400 - Airflow logs the traceback
        report_attempt(recorder.end(FAILED, error))
        raise
    report_attempt(recorder.end(SUCCEEDED))


def failure_line(error: Exception, context: Mapping[str, Any], record: TransferRecord) -> str:
    """Return in one line what failed and what the next attempt will do."""
    text = shortened(redacted(_masked(words_of(error))), _MAX_LINE_CHARS)
    return f"The transfer failed: {text}. {_outlook(error, context, record)}"


def _outlook(error: Exception, context: Mapping[str, Any], record: TransferRecord) -> str:
    ti = context["ti"]
    number, most = getattr(ti, "try_number", 1), getattr(ti, "max_tries", 0) + 1
    kept = f"what is stored of it ({amount(record.done)}) is compared and not sent again" if record.done else ""
    if isinstance(error, OSSPermanentError):
        return "No retry can mend that: put it right and clear the task" + (f"; {kept}" if kept else "")
    if isinstance(error, AirflowFailException):
        return "It asks for no retry: clear the task to continue" + (f"; {kept}" if kept else "")
    if number >= most:
        return "No attempt is left: clear the task to continue" + (f"; {kept}" if kept else "")
    return f"The next attempt is number {number + 1} of {most}" + (f": {kept}" if kept else "")


def _masked(text: str) -> str:
    return str(redact(text))
