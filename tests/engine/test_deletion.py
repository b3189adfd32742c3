"""Many objects deleted."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.retry import make_retrying
from airflow_provider_oss.engine.tree.remote import delete_all
from airflow_provider_oss.exceptions import OSSAccessDenied
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import IMPATIENT, Scene

RETRYING = make_retrying(IMPATIENT, threading.Event())


def put(scene: Scene, *keys: str) -> None:
    for key in keys:
        scene.client.put_object(ObjectRef(scene.bucket, key), b"x", crc64(b"x"), ObjectOptions())
    scene.server.forget_requests()


def left(scene: Scene) -> list[str]:
    return [one.ref.key for one in scene.client.list_objects(scene.bucket, "", "", "").items]


def test_exactly_these_are_deleted(scene: Scene) -> None:
    """Keys that XML cannot carry are deleted too, and no other in their place: XML reads a CR as an LF."""
    odd = ["a\rb", "a\x01b", "a\x0bb", "a\uffffb"]
    kept = ["a\nb", "a b", "ab"]
    plain = ["a&<>\"'b", "a\tb", "ü 数据 😀", "a//b", " a "]
    put(scene, *odd, *kept, *plain)

    reported = list(delete_all(scene.client, RETRYING, scene.bucket, [*odd, *plain, "missing"]))

    assert reported == [[*plain, "missing"], *([key] for key in odd)]
    assert left(scene) == sorted(kept)


def test_as_many_in_a_request_as_oss_takes(scene: Scene) -> None:
    """A thousand keys are one request, and each is reported before the next is made."""
    reported = delete_all(scene.client, RETRYING, scene.bucket, [f"{number:04}" for number in range(2001)])
    assert len(next(reported)) == 1000
    assert scene.operations() == ["DeleteMultipleObjects"]
    assert [len(keys) for keys in reported] == [1000, 1]


def test_faults(scene: Scene) -> None:
    """What may pass is tried again, a refusal is raised."""
    put(scene, "a", "b\r")
    scene.server.faults.add(Fault(operation="DeleteMultipleObjects", status=503, times=1))
    scene.server.faults.add(Fault(operation="DeleteObject", status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        list(delete_all(scene.client, RETRYING, scene.bucket, ["a", "b\r"]))
    assert left(scene) == ["b\r"]
