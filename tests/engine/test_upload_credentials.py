"""A security token that expires in the middle of an upload."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSCredentialsExpired
from tests.engine.conftest import PART, Scene, both_ways

pytestmark = both_ways

EXPIRED: dict[str, Any] = {"status": 403, "code": "SecurityTokenExpired"}


@pytest.mark.parametrize("store_is_there", [True, False])
@pytest.mark.parametrize(
    "expires_at",
    [
        {"operation": "InitiateMultipartUpload"},
        {"operation": "UploadPart", "part_number": 3},
        {"operation": "CompleteMultipartUpload"},
    ],
    ids=repr,
)
def test_new_credentials_let_the_upload_go_on(
    scene: Scene,
    expires_at: dict[str, Any],
    store_is_there: bool,  # noqa: FBT001 - a table
) -> None:
    """With other credentials the same attempt goes on with the same upload, and nothing is sent twice."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(times=1, **expires_at, **EXPIRED))
    asked_in: list[threading.Thread] = []

    def renew() -> bool:
        asked_in.append(threading.current_thread())
        return True

    upload = scene.upload(renew_credentials=renew, settings=replace(scene.settings, parallel=1))
    result = (upload if store_is_there else replace(upload, store=None)).run()

    assert asked_in == [threading.current_thread()]
    assert scene.sent() == [1, 2, 3, 4]
    assert [request.status for request in scene.requests("InitiateMultipartUpload")].count(200) == 1
    assert result.attempts == 1
    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_single_put_goes_on_too(scene: Scene) -> None:
    """A file of one part is sent again with the new credentials."""
    data = scene.write(10)
    scene.server.faults.add(Fault(operation="PutObject", times=1, **EXPIRED))

    scene.run(renew_credentials=lambda: True)

    assert scene.object() == data


def test_credentials_are_renewed_as_often_as_they_expire(scene: Scene) -> None:
    """A long upload may outlive several tokens; once there are no others the error is raised, the upload stays."""
    data = scene.write(6 * PART)
    for number in (2, 4, 5):
        scene.server.faults.add(Fault(operation="UploadPart", part_number=number, times=1, **EXPIRED))
    answers = [True, True, False]

    with pytest.raises(OSSCredentialsExpired):
        scene.run(renew_credentials=lambda: answers.pop(0), settings=replace(scene.settings, parallel=1))

    assert answers == []
    assert scene.uploads() == [scene.store.upload_id]
    scene.run()
    assert scene.sent() == [1, 2, 3, 4, 5, 6]
    assert scene.object() == data
    scene.assert_nothing_left()


def test_nobody_renews_unasked(scene: Scene) -> None:
    """An upload whose caller cannot renew credentials ends with the error after one try, and asks for nothing more."""
    scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=1, **EXPIRED))

    with pytest.raises(OSSCredentialsExpired):
        scene.run(settings=replace(scene.settings, parallel=1))

    assert scene.operations() == ["InitiateMultipartUpload", "UploadPart"]
    assert scene.uploads() == [scene.store.upload_id]


def test_new_credentials_without_listing(scene: Scene) -> None:
    """Where stored parts may not be listed, those sent before the token expired are not sent again."""
    data = scene.write(4 * PART)
    scene.server.faults.add(
        Fault(operation="ListParts", status=403, code="AccessDenied"),
        Fault(operation="UploadPart", part_number=4, times=1, **EXPIRED),
    )

    result = scene.run(renew_credentials=lambda: True, settings=replace(scene.settings, parallel=1))

    assert scene.sent() == [1, 2, 3, 4]
    assert (result.bytes_sent, result.bytes_verified) == (4 * PART, 0)
    assert scene.object() == data
    scene.assert_nothing_left()
