"""The caller listens to an upload and may stop it: progress, log lines, cancellation."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.progress import LogIntervals
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSServiceUnavailable, OSSUploadCancelled
from airflow_provider_oss.model import Checkpoint, CompletedPart, StoredObject
from tests.conftest import client_settings
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import HandClock, InterferingClient, changed
from tests.support.sources import descriptors_of

Told = tuple[float, Checkpoint | None, Any]


def test_progress_of_a_fresh_upload(scene: Scene) -> None:
    """After every part the callback hears the growing fraction, the checkpoint and OSS's answer, in this thread."""
    scene.write(5 * PART)
    told: list[Told] = []
    threads: set[threading.Thread] = set()

    def listen(*what: Any) -> None:
        told.append(what)
        threads.add(threading.current_thread())

    scene.run(progress=listen)

    fractions, checkpoints, responses = zip(*told, strict=True)
    assert fractions == (0.2, 0.4, 0.6, 0.8, 1.0)
    assert [checkpoint.done_bytes for checkpoint in checkpoints] == [PART * n for n in range(1, 6)]
    assert checkpoints[-1].done_parts == "1-5"
    assert {checkpoint.upload_id for checkpoint in checkpoints} == {scene.requests("UploadPart")[0].upload_id}
    assert all(isinstance(response, CompletedPart) for response in responses)
    assert sorted(response.number for response in responses) == [1, 2, 3, 4, 5]
    assert threads == {threading.current_thread()}


def test_progress_of_a_continued_upload(scene: Scene) -> None:
    """Verified parts count from the first on, with no answer of OSS: nothing was sent."""
    scene.write(5 * PART)
    scene.stop_at_part(4)
    told: list[Told] = []

    scene.run(progress=lambda *what: told.append(what))

    assert [fraction for fraction, _, _ in told] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert sorted(response.number for _, _, response in told if response is not None) == [4, 5]
    assert {checkpoint.attempt for _, checkpoint, _ in told if checkpoint} == {2}


def test_progress_of_parts_that_are_looked_at_again(scene: Scene) -> None:
    """When Complete refuses the parts once, the fraction stays where it was; what is found again was not sent again."""
    scene.write(5 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, status=400, code="InvalidPart"))
    told: list[Told] = []

    result = scene.run(progress=lambda *what: told.append(what))

    assert [fraction for fraction, _, _ in told] == [0.2, 0.4, 0.6, 0.8, 1.0, *[1.0] * 5]
    assert [response for _, _, response in told[5:]] == [None] * 5
    assert [checkpoint.done_bytes for _, checkpoint, _ in told[5:] if checkpoint] == [PART * n for n in range(1, 6)]
    assert (result.bytes_sent, result.bytes_verified, result.resumed) == (5 * PART, 0, False)


@both_ways
def test_progress_of_an_upload_that_is_gone(scene: Scene) -> None:
    """When OSS loses the upload on the way, the fraction does not fall, and all that was sent counts as sent."""
    scene.write(5 * PART)
    fractions: list[float] = []

    def lose_it(fraction: float, *_: object) -> None:
        fractions.append(fraction)
        if len(fractions) == 3:
            scene.client.abort_multipart_upload(scene.ref, scene.uploads()[0])

    result = scene.run(progress=lose_it, settings=replace(scene.settings, parallel=1))

    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert result.bytes_sent == len(scene.sent()) * PART
    assert len(scene.sent()) > 5


@both_ways
@pytest.mark.parametrize("size_bytes", [0, 10])
def test_progress_of_one_request(scene: Scene, size_bytes: int) -> None:
    """A file of one part is told of once: all done, no checkpoint, OSS's answer."""
    scene.write(size_bytes)
    told: list[Told] = []

    scene.run(progress=lambda *what: told.append(what))

    [(fraction, checkpoint, response)] = told
    assert (fraction, checkpoint) == (1.0, None)
    assert isinstance(response, StoredObject)


def test_the_log_has_few_lines(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Progress is logged every few seconds, ever less often, and at the end, whatever the number of parts."""
    caplog.set_level("INFO", "airflow_provider_oss")
    scene.write(20 * PART)
    clock = HandClock()

    def time_passes(*_: object) -> None:
        clock.seconds += LogIntervals().first_seconds / 5

    scene.run(progress=time_passes, clock=clock)

    lines = [message for message in caplog.messages if "% (" in message]
    assert len(lines) == 3  # after 5 and 15 of 20 seconds, and at the end
    assert lines[-1].startswith("100.0% (2.0 of 2.0 MiB), sent 2.0 MiB, verified 0 bytes, ")
    [began] = [message for message in caplog.messages if "began upload" in message]
    assert began.startswith(f"{scene.ref}: ")
    assert " of " in began
    assert "20 parts" in began


@both_ways
def test_an_error_of_the_callback_is_the_callers(scene: Scene) -> None:
    """What the callback raises comes through as it is, and the next attempt continues."""
    data = scene.write(6 * PART)
    error = RuntimeError("the listener broke")

    def break_off(fraction: float, *_: object) -> None:
        if fraction >= 0.5:
            raise error

    with pytest.raises(RuntimeError) as caught:
        scene.run(progress=break_off, settings=replace(scene.settings, parallel=1))

    assert caught.value is error
    assert scene.uploads() == [scene.store.upload_id]
    result = scene.run()
    assert result.bytes_verified >= 3 * PART
    assert scene.object() == data
    scene.assert_nothing_left()


def test_stopping(scene: Scene) -> None:
    """A request to stop ends the upload with the parts in flight; nothing is saved any more, the next one continues."""
    data = scene.write(20 * PART)
    cancellation = Cancellation()
    saves_at_request: list[int] = []

    def stop_early(fraction: float, *_: object) -> None:
        if fraction >= 0.2:
            cancellation.request()
            saves_at_request.append(len(scene.store.saved))

    with pytest.raises(OSSUploadCancelled):
        scene.run(
            progress=stop_early,
            cancellation=cancellation,
            settings=replace(scene.settings, save_interval_seconds=0.0),
        )

    assert saves_at_request == [len(scene.store.saved)]
    assert scene.requests("AbortMultipartUpload") == []
    assert scene.uploads() == [scene.store.upload_id]
    before = scene.sent()
    assert 4 <= len(before) < 20
    result = scene.run()
    assert set(scene.sent()) == set(range(1, 21))
    assert [scene.sent().count(number) for number in before] == [1] * len(before)  # what was in flight may arrive yet
    assert result.bytes_verified >= len(before) * PART
    assert scene.object() == data
    scene.assert_nothing_left()


@both_ways
def test_stopping_before_the_beginning(scene: Scene) -> None:
    """A task that was asked to stop already sends nothing."""
    scene.write(4 * PART)
    cancellation = Cancellation()
    cancellation.request()

    with pytest.raises(OSSUploadCancelled):
        scene.run(cancellation=cancellation)

    assert scene.operations() == []


@both_ways
def test_stopping_without_a_store(scene: Scene) -> None:
    """An upload that nobody can continue is aborted when it is stopped."""
    scene.write(6 * PART)
    cancellation = Cancellation()

    with pytest.raises(OSSUploadCancelled):
        changed(scene.upload(), store=None, cancellation=cancellation, progress=lambda *_: cancellation.request()).run()

    assert scene.uploads() == []


@both_ways
def test_stopping_ends_a_pause(scene: Scene) -> None:
    """Nobody waits for the pause before the next try of a part when the upload is to stop."""
    scene.write(4 * PART)
    cancellation = Cancellation()
    patient = RetryPolicy(tries=5, first_delay_seconds=3600, longest_delay_seconds=3600)
    scene.server.faults.add(Fault(operation="UploadPart", status=503))
    client = InterferingClient(scene.client, "upload_part", cancellation.request)

    with pytest.raises((OSSUploadCancelled, OSSServiceUnavailable)):
        scene.run(client=client, cancellation=cancellation, retry=patient)

    assert [thread for thread in threading.enumerate() if thread.name.startswith("oss-part-worker")] == []


def test_stopping_while_a_part_is_stuck(scene: Scene) -> None:
    """A part that does not come to an end is given up, and nothing holds the file that it was read from."""
    scene.write(4 * PART)
    cancellation = Cancellation()
    scene.server.faults.add(Fault(operation="UploadPart", stall=True))
    patient = OSSObjectClient(replace(client_settings(scene.server), read_timeout_seconds=10.0))
    client = InterferingClient(patient, "upload_part", cancellation.request)

    with pytest.raises(OSSUploadCancelled):
        scene.run(client=client, cancellation=cancellation)

    assert descriptors_of(scene.path) == 0
    assert scene.uploads() == [scene.store.upload_id]
