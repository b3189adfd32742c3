"""A node dies, hangs, or is told to end in the middle of an upload, and another goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.distributed.playing import BYTES_PER_SECOND, IN_FLIGHT_BYTES, now, seconds_since

if TYPE_CHECKING:
    from pathlib import Path

    from tests.distributed.playing import Stage

pytestmark = pytest.mark.distributed


def test_no_accident(stage: Stage, file_64: Path) -> None:
    """An upload on a node sends each byte once."""
    upload = stage.begin("undisturbed.bin", file_64)
    stage.hurry()
    assert upload.end() == "success"

    assert upload.attempts() == ["success"]
    assert stage.nodes_of(upload)[0] in stage.airflow.nodes
    stage.assert_whole(upload, sent_twice_bytes=0)


def test_node_killed(stage: Stage, file_64: Path) -> None:
    """When a node dies, the other continues: only what was in flight is sent again."""
    upload = stage.begin("node-killed.bin", file_64)
    node, killed = stage.node_of(upload), now()
    stage.airflow.kill_node(node)
    stage.wait_for_successor(upload, killed)
    stage.hurry()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert stage.nodes_of(upload) == [node, stage.airflow.other_node(node)]
    assert upload.result()["resumed"]
    stage.assert_whole(upload, sent_twice_bytes=IN_FLIGHT_BYTES)


def test_node_frozen_and_woken_after_the_end(stage: Stage, file_64: Path) -> None:
    """When a node hangs and comes back after another has finished, its task ends and changes nothing."""
    upload = stage.begin("frozen-late.bin", file_64)
    node, frozen = stage.node_of(upload), now()
    stage.airflow.freeze_node(node)
    stage.wait_for_successor(upload, frozen)
    stage.hurry()
    assert upload.end() == "success"
    stage.uploads.assert_equal(upload.key, file_64)
    stage.airflow.wake_node(node)
    stage.wait_until_ended(upload, 1)

    assert upload.attempts() == ["failed", "success"]
    assert stage.nodes_of(upload) == [node, stage.airflow.other_node(node)]
    stage.assert_whole(upload, sent_twice_bytes=2 * IN_FLIGHT_BYTES)


def test_node_frozen_and_woken_before_the_end(stage: Stage, file_64: Path) -> None:
    """When a node comes back while another continues its upload, both send for a moment, and one of them finishes."""
    upload = stage.begin("frozen-early.bin", file_64)
    node, frozen = stage.node_of(upload), now()
    stage.airflow.freeze_node(node)
    stage.wait_for_successor(upload, frozen)
    stage.airflow.wake_node(node)
    woken = now()
    stage.wait_until_ended(upload, 1)
    both_sent_bytes = round(seconds_since(woken) * BYTES_PER_SECOND)
    stage.hurry()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    stage.assert_whole(upload, sent_twice_bytes=2 * IN_FLIGHT_BYTES + both_sent_bytes)


def test_node_shut_down(stage: Stage, file_64: Path) -> None:
    """A node that is told to end finishes its upload first, and what comes meanwhile goes to the other."""
    upload = stage.begin("shut-down.bin", file_64)
    node = stage.node_of(upload)
    component = stage.airflow.shut_down_node(node)
    later = stage.uploads.start("upload_auto", file_64, "meanwhile.bin")
    assert later.end() == "success"
    assert stage.nodes_of(later) == [stage.airflow.other_node(node)]
    stage.hurry()
    assert upload.end() == "success"
    assert component.process.wait(60) == 0

    assert upload.attempts() == ["success"]
    stage.assert_whole(upload, sent_twice_bytes=0)
