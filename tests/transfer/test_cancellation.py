"""How a running upload is asked to stop."""

from __future__ import annotations

import signal

import pytest

from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.transfer.cancellation import Cancellation


def test_nobody_asked() -> None:
    """Without a request nothing is raised, however often one looks."""
    cancellation = Cancellation()

    cancellation.check()
    cancellation.check()


def test_a_request_stays() -> None:
    """After a request every look raises, and the text says that nothing is lost."""
    cancellation = Cancellation()

    cancellation.request()

    for _ in range(2):
        with pytest.raises(OSSUploadCancelled, match="the next attempt continues"):
            cancellation.check()


def test_a_signal_handler_may_ask() -> None:
    """The request can come from a signal handler, which interrupts the main thread anywhere."""
    cancellation = Cancellation()
    before = signal.signal(signal.SIGUSR1, lambda *_: cancellation.request())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    with pytest.raises(OSSUploadCancelled):
        cancellation.check()
