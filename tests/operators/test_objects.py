"""Listing and deleting as tasks."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSBadResponse
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.objects import OSSDeleteObjectsOperator, OSSListOperator
from tests.conftest import BUCKET
from tests.operators.conftest import REFUSED, Run

KEYS = ("a.csv", "logs-old/a.csv", "logs/2026-11-21/a.csv", "logs/2026-11-21/b.txt", "logs/c.csv")


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], server: OSSEmulator) -> None:
    connect()
    for key in KEYS:
        OSSHook().put_object(key, "x")
    server.forget_requests()


def left(bucket: str = BUCKET) -> list[str]:
    return [item.ref.key for item in OSSHook().list_objects("", bucket)]


def addresses(keys: Iterable[str]) -> list[str]:
    return [f"oss://{BUCKET}/{key}" for key in keys]


def lists(run: Run, **arguments: Any) -> Any:
    return run(lambda: OSSListOperator(task_id="list", **arguments))


def deletes(run: Run, **arguments: Any) -> Any:
    return run(lambda: OSSDeleteObjectsOperator(task_id="delete", **arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, KEYS),
        ({"prefix": "logs"}, KEYS[1:]),
        ({"prefix": "logs/"}, KEYS[2:]),
        ({"prefix": f"oss://{BUCKET}/logs/{{{{ ds }}}}/"}, KEYS[2:4]),
        ({"prefix": "logs/", "delimiter": "/"}, ["logs/c.csv"]),
        ({"include": "logs/**/*.{{ params.kind }}"}, [KEYS[2], KEYS[4]]),
        ({"include": ["*.csv", "logs-old/*"]}, KEYS[:2]),
        ({"exclude": "**/*.csv"}, [KEYS[3]]),
        ({"bucket_name": "{{ 'other' }}"}, []),
        ({"max_keys": "{{ 5 }}"}, KEYS),
    ],
)
def test_listing(run: Run, arguments: dict[str, Any], expected: list[str]) -> None:
    """The addresses of what prefix and globs name, in order, as plain data."""
    assert lists(run, **arguments) == addresses(expected)


def test_more_than_xcom_should_hold(run: Run) -> None:
    """A list that is too long fails the task at once and says what to do; it is never cut off."""
    with pytest.raises(AirflowFailException, match=r"more than max_keys=4 objects below prefix='': narrow"):
        lists(run, max_keys=4)
    assert lists(run, max_keys=None) == addresses(KEYS)


def test_all_pages_are_listed(run: Run) -> None:
    """More objects than one answer holds are all there."""
    for number in range(1001):
        OSSHook().put_object(f"many/{number:04}", "")
    assert lists(run, prefix="many/") == addresses(f"many/{number:04}" for number in range(1001))


def test_a_list_of_another_bucket(run: Run) -> None:
    """What was listed is what is deleted, though the connection names another bucket, and keys look like addresses."""
    odd = f"oss://{BUCKET}/a.csv"
    for key in ("a.csv", odd):
        OSSHook().put_object(f"oss://other/{key}", "x")
    found = lists(run, prefix="oss://other/")
    assert found == ["oss://other/a.csv", f"oss://other/{odd}"]
    assert deletes(run, keys=found)["deleted"] == 2
    assert (left("other"), left()) == ([], list(KEYS))


def test_a_prefix_that_looks_like_an_address(run: Run) -> None:
    """Keys that begin with ``oss://`` are deleted by their prefix, and no others."""
    odd = f"oss://{BUCKET}/logs/x"
    OSSHook().put_object(f"oss://{BUCKET}/{odd}", "x")
    for prefix in (f"oss://{BUCKET}/oss://{BUCKET}/", f"oss://{BUCKET}/oss://{BUCKET}/logs/"):
        assert deletes(run, prefix=prefix, dry_run=True)["keys"] == [odd]
    assert deletes(run, prefix=f"oss://{BUCKET}/oss://{BUCKET}/")["keys"] == [odd]
    assert left() == list(KEYS)


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ({"keys": "a.csv"}, ["a.csv"]),
        ({"keys": ["a.csv", f"oss://{BUCKET}/logs/c.csv", "logs/{{ ds }}/a.csv"]}, [KEYS[0], KEYS[2], KEYS[4]]),
        ({"keys": []}, []),
        ({"prefix": "logs"}, KEYS[1:]),
        ({"prefix": "logs/"}, KEYS[2:]),
        ({"prefix": f"oss://{BUCKET}/logs/", "include": "**/*.csv", "exclude": "logs/*"}, [KEYS[2]]),
        ({"prefix": "nothing/"}, []),
        ({"prefix": "", "allow_whole_bucket": True}, KEYS),
    ],
)
def test_deleting(run: Run, caplog: pytest.LogCaptureFixture, arguments: dict[str, Any], gone: list[str]) -> None:
    """Exactly these go, and a dry run has told so before."""
    with caplog.at_level(logging.INFO):
        told = deletes(run, **arguments, dry_run=True)
    assert (left(), told) == (list(KEYS), {"deleted": len(gone), "keys": list(gone), "dry_run": True})
    assert [line.partition("Would delete ")[2] for line in caplog.messages if "Would delete " in line] == list(gone)

    done = deletes(run, **arguments)
    assert left() == [key for key in KEYS if key not in gone]
    assert done == told | {"dry_run": False}
    assert json.loads(json.dumps(done)) == done


def test_missing_objects_and_several_buckets(run: Run, server: OSSEmulator) -> None:
    """What is not there is no error; keys may be of several buckets, and be given twice."""
    OSSHook().put_object("key", "x", "other")
    result = deletes(run, keys=["missing", "oss://other/key", "a.csv", "a.csv"])
    assert (result["deleted"], left("other"), "a.csv" in left()) == (3, [], False)
    assert Counter(request.operation for request in server.requests)["DeleteMultipleObjects"] == 2


def test_many(run: Run, server: OSSEmulator) -> None:
    """A thousand keys go with one request; the result shows ten."""
    keys = [f"many/{number:04}" for number in range(1001)]
    for key in keys:
        OSSHook().put_object(key, "")
    result = deletes(run, prefix="many/")
    assert (result["deleted"], result["keys"]) == (1001, keys[:10])
    assert Counter(request.operation for request in server.requests)["DeleteMultipleObjects"] == 2


@pytest.mark.parametrize("prefix", ["", f"oss://{BUCKET}", f"oss://{BUCKET}/", "{{ '' }}"])
def test_the_whole_bucket_wants_consent(run: Run, prefix: str) -> None:
    """An empty prefix is more likely a missing value than a wish."""
    with pytest.raises(AirflowFailException, match="means every object of bucket 'exports'"):
        deletes(run, prefix=prefix)
    assert left() == list(KEYS)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "give keys, or prefix"),
        ({"keys": "a.csv", "prefix": "logs/"}, "give one of them"),
        ({"keys": "a.csv", "include": "*"}, "give keys, or prefix with include"),
        ({"keys": "a.csv", "exclude": "*"}, "give keys, or prefix with include"),
        ({"keys": ["oss://other/a.csv"], "bucket_name": BUCKET}, "name two buckets"),
        ({"keys": [""]}, "key=''"),
        ({"keys": {"key": "a.csv"}}, "is a dict: give text or a list"),
        ({"keys": "{{ ['a.csv', 'logs/c.csv'] }}"}, "is the text of a list: give a list of them"),
        ({"prefix": "logs/", "include": "/x"}, "can match nothing"),
        ({"prefix": "/logs/"}, "begins with '/'"),
    ],
)
def test_what_cannot_work(run: Run, server: OSSEmulator, arguments: dict[str, Any], complaint: str) -> None:
    """What does not say which objects are meant fails at once, and nothing is deleted."""
    with pytest.raises(REFUSED, match=complaint):
        deletes(run, **arguments)
    assert server.requests == ()


@pytest.mark.parametrize("arguments", [{"keys": list(KEYS)}, {"prefix": "logs"}])
def test_what_oss_does_not_report(run: Run, server: OSSEmulator, arguments: dict[str, Any]) -> None:
    """An object that OSS does not report deleted fails the task, so that Airflow retries it."""
    document = b"<DeleteResult><Deleted><Key>logs/c.csv</Key></Deleted></DeleteResult>"
    server.faults.add(Fault(operation="DeleteMultipleObjects", response_body=document, times=1))
    with pytest.raises(OSSBadResponse, match=r"did not report [34] of [45] objects deleted"):
        deletes(run, **arguments)


def test_no_permission(run: Run, server: OSSEmulator) -> None:
    """A refusal fails the task at once; it is no empty list."""
    server.faults.add(Fault(operation="ListObjectsV2", status=403, code="AccessDenied"))
    attempts: tuple[Callable[[], object], ...] = (lambda: lists(run), lambda: deletes(run, prefix="logs/"))
    for go in attempts:
        with pytest.raises(AirflowFailException, match="OSSAccessDenied"):
            go()


def test_dry_run_of_airflow_still_works() -> None:
    """The argument does not hide the method of that name, which Airflow calls for ``tasks test --dry-run``."""
    operator = OSSDeleteObjectsOperator(task_id="delete", keys="a", dry_run=True)
    assert "dry_run" not in vars(operator)
    assert operator.only_tell
