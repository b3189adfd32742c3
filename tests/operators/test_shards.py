"""A directory by several tasks: what they give to one another, what the last one checks, and the group of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowFailException, BaseOperator

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSSourceElsewhere, OSSTransientError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator, mapped_directory_upload
from airflow_provider_oss.operators.shards import OSSFinishDirectoryOperator, OSSPlanDirectoryOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.conftest import BUCKET
from tests.operators.conftest import REFUSED, Run
from tests.support.stores import MemoryStore
from tests.support.trees import write_tree

FILES = {"a.csv": b"12", "sub/b.csv": b"3", "sub/c.txt": b"", "z": b"4444"}
PREFIX = "base/2026-11-21/"
MISSPELT = (TypeError, AirflowException)
"""What Airflow raises: 3 and 2."""
NUMBERS = ("files", "sent", "skipped", "deleted", "failed", "not_tried", "left_out")


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], supervisor: Supervisor) -> None:
    connect()
    supervisor.task_ids = ("notify", "plan", "send", "finish")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small tree."""
    return write_tree(tmp_path / "tree", FILES)


class Lazy(Sequence[Any]):
    """What Airflow gives for the output of a mapped task: asked item by item, or at once."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.asked = 0

    def __len__(self) -> int:
        self.asked += 1
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        self.asked += 1
        return self._items[index]

    def __iter__(self) -> Iterator[Any]:
        for index in range(len(self)):
            yield self[index]


class Tasks:
    """Runs the tasks, one after the other, on one directory."""

    def __init__(self, run: Run, directory: Path, **common: Any) -> None:
        self._run = run
        self._common = {"directory": str(directory), "key": "base/{{ ds }}", **common}

    def plan(self, **arguments: Any) -> Any:
        return self._run(lambda: OSSPlanDirectoryOperator(task_id="plan", **self._common | arguments))

    def send(self, shard: Any, **arguments: Any) -> Any:
        given = self._common | {"shard": shard} | arguments
        return self._run(lambda: OSSUploadDirectoryOperator(task_id="send", **given))

    def finish(self, shards: Any, results: Any, **arguments: Any) -> Any:
        given = self._common | {"shards": shards, "results": results} | arguments
        return self._run(lambda: OSSFinishDirectoryOperator(task_id="finish", **given))


@pytest.fixture
def tasks(run: Run, directory: Path) -> Tasks:
    """The tasks of a group."""
    return Tasks(run, directory)


def keys() -> list[str]:
    return [item.ref.key.removeprefix(PREFIX) for item in OSSHook().list_objects()]


def numbers(result: dict[str, Any]) -> dict[str, int]:
    """Return the numbers that are not zero."""
    return {name: result[name] for name in NUMBERS if result[name]}


def test_plan_send_finish(tasks: Tasks, server: OSSEmulator) -> None:
    """The directory is stored, each file once; what is handed on is plain data, and planning asks nothing of OSS."""
    shards = tasks.plan(shards=3)
    assert json.loads(json.dumps(shards)) == shards
    assert [(shard["after"], shard["until"]) for shard in shards] == [
        (None, "a.csv"), ("a.csv", "sub/c.txt"), ("sub/c.txt", None),
    ]  # fmt: skip
    assert [(shard["files"], shard["size"]) for shard in shards] == [(1, 2), (2, 1), (1, 4)]
    assert server.requests == ()

    results = [tasks.send(shard) for shard in shards]
    assert [numbers(result) for result in results] == [
        {"files": shard["files"], "sent": shard["files"]} for shard in shards
    ]
    assert keys() == list(FILES)

    told = tasks.finish(shards, results)
    assert json.loads(json.dumps(told)) == told
    assert numbers(told) == {"files": 4, "sent": 4}
    assert (told["size"], told["sent_size"], told["bytes_sent"]) == (7, 7, 7)
    assert (told["uri"], told["prefix"]) == (f"oss://{BUCKET}/{PREFIX}", PREFIX)
    assert set(told) == set(results[0]) - {"shard"}


def test_deleting(tasks: Tasks, directory: Path) -> None:
    """What is gone is deleted at the end, and only then; a dry run tells of it."""
    for shard in tasks.plan():
        tasks.send(shard)
    (directory / "a.csv").unlink()
    shards = tasks.plan()
    told = tasks.finish(shards, [tasks.send(one, dry_run=True) for one in shards], delete_removed=True)
    assert (told["dry_run"], told["deleted"], told["would_send"], told["would_delete"]) == (True, 1, [], ["a.csv"])
    assert keys() == list(FILES)

    results = [tasks.send(shard) for shard in shards]
    assert numbers(tasks.finish(shards, results)) == {"files": 3, "skipped": 3}
    done = tasks.finish(shards, results, delete_removed=True)
    assert (numbers(done), done["deleted_size"]) == ({"files": 3, "skipped": 3, "deleted": 1}, 2)
    assert keys() == list(FILES)[1:]


def test_globs_hold_for_all(run: Run, directory: Path) -> None:
    """What they do not mean is neither planned nor sent nor deleted."""
    OSSHook().put_object(f"{PREFIX}old.txt", b"")
    OSSHook().put_object(f"{PREFIX}old.csv", b"")
    tasks = Tasks(run, directory, include=["**/*.csv"], exclude="z*")
    shards = tasks.plan()
    assert len(shards) == 2
    tasks.finish(shards, [tasks.send(shard) for shard in shards], delete_removed=True)
    assert keys() == ["a.csv", "old.txt", "sub/b.csv"]


def test_what_airflow_gives_is_asked_for_at_once(tasks: Tasks) -> None:
    """Not item by item, of which each is a call."""
    shards = Lazy(tasks.plan())
    results = Lazy([tasks.send(shard) for shard in shards])
    shards.asked = 0
    assert numbers(tasks.finish(shards, results)) == {"files": 4, "sent": 4}
    assert shards.asked <= 2
    assert results.asked <= 2


@pytest.mark.parametrize("missing", [0, 1, 3])
@pytest.mark.parametrize("instead", [[], [None], [{"files": 3}], [{"shard": "a"}]], ids=str)
def test_a_shard_without_a_result(tasks: Tasks, missing: int, instead: list[Any]) -> None:
    """It is named, with what to clear; no retry mends it, and nothing is deleted."""
    OSSHook().put_object(f"{PREFIX}old", b"")
    shards = tasks.plan(shards=4)
    results = [tasks.send(shard) for shard in shards]
    results[missing : missing + 1] = instead
    name = ["the beginning to a.csv", "a.csv to sub/b.csv", "", "sub/c.txt to the end"][missing]
    with pytest.raises(
        AirflowFailException, match=rf"shard {missing} of .*\({name}, about 1 files\).*clear the task with map index"
    ):
        tasks.finish(shards, results, delete_removed=True)
    assert "old" in keys()


def test_another_plan(tasks: Tasks, directory: Path) -> None:
    """Results of an earlier plan are none of this one, but where it has the same shard; order does not matter."""
    before = [tasks.send(shard) for shard in tasks.plan(shards=2)]
    write_tree(directory, {f"sub/d{number}": b"" for number in range(20)})
    shards = tasks.plan(shards=2)
    with pytest.raises(AirflowFailException, match=r"shard 0 .* ran with another plan"):
        tasks.finish(shards, before)
    results = [*(tasks.send(shard) for shard in reversed(shards)), *before]
    assert numbers(tasks.finish(shards, results)) == {"files": 24, "sent": 20, "skipped": 4}


def test_results_of_another_prefix(tasks: Tasks) -> None:
    """They are refused: something else would be deleted."""
    shards = tasks.plan()
    results = [tasks.send(shard) for shard in shards]
    with pytest.raises(AirflowFailException, match=rf"stored below oss://{BUCKET}/{PREFIX}, and key='other' means"):
        tasks.finish(shards, results, key="other", delete_removed=True)


def test_a_shard_that_failed(tasks: Tasks, server: OSSEmulator, supervisor: Supervisor) -> None:
    """A task of it fails as ever; marked as success, its failures fail the end for good, and nothing is deleted."""
    OSSHook().put_object(f"{PREFIX}old", b"")
    server.faults.add(Fault(key=f"{PREFIX}z", operation="PutObject", status=403, code="SecurityTokenExpired"))
    shards = tasks.plan(shards=2)
    results = [tasks.send(shards[0])]
    with pytest.raises(OSSTransientError, match="1 of 2 files"):
        tasks.send(shards[1])
    results.append(next(value for key, value in supervisor.xcoms.items() if "return_value" in key))

    with pytest.raises(AirflowFailException, match=r"shard 1 .*: 1 of its files .* clear the task with map index 1"):
        tasks.finish(shards, results, delete_removed=True)
    assert "old" in keys()


def test_another_directory(tasks: Tasks, directory: Path, tmp_path: Path) -> None:
    """What was stored is not deleted because another directory, or another volume in its place, does not have it."""
    shards = tasks.plan(shards=2)
    results = [tasks.send(shard) for shard in shards]
    stored = keys()
    other = tmp_path / "other"
    write_tree(other, {"foreign": b"1"})
    with pytest.raises(AirflowFailException, match=r"was read from '.*tree', and directory='.*other'"):
        tasks.finish(shards, results, directory=str(other), delete_removed=True)
    shutil.rmtree(directory)
    write_tree(directory, {"zzz": b"1"})
    with pytest.raises(OSSSourceElsewhere, match="clear the task that plans if it was removed since"):
        tasks.finish(shards, results, delete_removed=True)
    with pytest.raises(OSSSourceElsewhere, match="clear the task that plans if it was removed since"):
        tasks.send(shards[0])
    assert keys() == stored


def test_what_is_no_plan(tasks: Tasks) -> None:
    """Shards that are not all of a plan, and results that are none, are refused with what to give."""
    shards = tasks.plan(shards=3)
    results = [tasks.send(shard) for shard in shards]
    assert len(shards) == 3
    for wrong in ([], shards[:1], shards[1:], shards + shards, [shards[1], shards[0], shards[2]]):
        with pytest.raises(AirflowFailException, match=r"shards are \d+ that do not follow one another"):
            tasks.finish(wrong, results)
    for name in ("uri", "sent", "elapsed_seconds"):
        broken = [{key: value for key, value in one.items() if key != name} for one in results]
        with pytest.raises(AirflowFailException, match=r"results has a KeyError .*give send.output as it is"):
            tasks.finish(shards, broken)
    with pytest.raises(AirflowFailException, match=r"results has a TypeError .*give send.output as it is"):
        tasks.finish(shards, [one | {"files": "3"} for one in results])
    with pytest.raises(OSSInvalidArgument, match="do not follow one another"):
        OSSHook().delete_removed(PREFIX, "/absent", shards=[])


def test_what_must_not_be_deleted(run: Run, tasks: Tasks, directory: Path) -> None:
    """The guards are those of the single task: no whole bucket, and no empty directory unless that is allowed."""
    everything = Tasks(run, directory, key="")
    shards = everything.plan()
    results = [everything.send(shard) for shard in shards]
    with pytest.raises(AirflowFailException, match="whole bucket"):
        everything.finish(shards, results, delete_removed=True)

    OSSHook().put_object(f"{PREFIX}old", b"")
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    shards = tasks.plan()
    assert shards == [{"after": None, "until": None, "files": 0, "size": 0}]
    results = [tasks.send(shard) for shard in shards]
    with pytest.raises(AirflowFailException, match="allow_empty=True"):
        tasks.finish(shards, results, delete_removed=True)
    assert tasks.finish(shards, results, delete_removed=True, allow_empty=True)["deleted"] == 1


def test_globs_that_mean_nothing(tasks: Tasks) -> None:
    """It is the plan that says so, unless it is allowed; a shard may be empty."""
    with pytest.raises(AirflowFailException, match="no file that include and exclude mean"):
        tasks.plan(include="*.parquet")
    [shard] = tasks.plan(include="*.parquet", allow_empty=True)
    assert numbers(tasks.send(shard, include="*.parquet")) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shards": 0}, "shards=0 is less than 1"),
        ({"shard_files": "{{ -1 }}"}, "shard_files=-1 is less than 1"),
        ({"shards": "many"}, "shards='many' is no whole number"),
        ({"shard_files": 1, "max_shards": 3}, r"make 4 shards .*max_shards=3: .*\[core\] max_map_length"),
        ({"symlinks": "sometimes"}, "symlinks='sometimes' is not known"),
        ({"key": "s3://bucket/key"}, "is an address"),
        ({"directory": "/absent"}, "cannot be read on this worker"),
    ],
    ids=str,
)
def test_a_plan_that_cannot_be_made(tasks: Tasks, arguments: dict[str, Any], message: str) -> None:
    """No retry mends it."""
    with pytest.raises(REFUSED, match=message):
        tasks.plan(**arguments)


def test_numbers_as_texts(tasks: Tasks) -> None:
    """Templates make texts of the numbers."""
    assert len(tasks.plan(shards="{{ 1 }}", shard_files="{{ 2 }}", max_shards="{{ 2 }}")) == 2


@pytest.mark.parametrize("shard", [{}, {"after": None}, {"after": 5, "until": None}, {"until": "a"}])
def test_what_is_no_shard(tasks: Tasks, server: OSSEmulator, shard: dict[str, Any]) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(AirflowFailException, match="OSSPlanDirectoryOperator returned"):
        tasks.send(shard)
    assert server.requests == ()


def test_what_contradicts_a_shard(tasks: Tasks) -> None:
    """One task does not know what the others delete, nor may all keep what is unfinished in one place."""
    shard = {"after": None, "until": None}
    with pytest.raises(REFUSED, match="delete_removed to OSSFinishDirectoryOperator"):
        tasks.send(shard, delete_removed=True)
    with pytest.raises(REFUSED, match="would be one place for the tasks of all shards"):
        tasks.send(shard, checkpoint=MemoryStore())


@pytest.mark.parametrize(
    ("shard", "name"),
    [
        (None, "/data"),
        ({"after": "a/b.csv", "until": "c/d.csv", "files": 1234}, "a/b.csv to c/d.csv, about 1,234 files"),
        ({"after": None, "until": None, "files": 5}, "the beginning to the end, about 5 files"),
        ({"after": "a\n", "until": "b"}, r"a\n to b"),
        ({"after": "a" * 500, "until": "b" * 500, "files": 10**9}, None),
    ],
    ids=str,
)
def test_the_name_of_a_shard(shard: Any, name: str | None) -> None:
    """People see what it is, and Airflow's database has room for it."""
    shown = OSSUploadDirectoryOperator(task_id="send", directory="/data", key="base", shard=shard).shard_name
    assert len(shown) <= 250
    assert name in {shown, None}


def test_no_xcom(tasks: Tasks) -> None:
    """A plan that nobody would hear of is refused."""
    with pytest.raises(REFUSED, match="do_xcom_push=False"):
        tasks.plan(do_xcom_push=False)


def grouped(**arguments: Any) -> dict[str, Any]:
    with DAG("export", schedule=None) as dag:
        given = {"directory": "/data", "key": "base", **arguments}
        group = mapped_directory_upload("upload", **given)
        BaseOperator(task_id="notify") << group
    assert dag.task_group.get_child_by_label("upload") is group
    return {task_id.removeprefix("upload."): task for task_id, task in dag.task_dict.items()}


def test_the_group() -> None:
    """It is three tasks in a row, the second one mapped, with names that people read."""
    tasks = grouped(shards=3, retries=7)
    assert list(tasks) == ["plan", "send", "finish", "notify"]
    assert tasks["send"].upstream_task_ids == {"upload.plan"}
    assert tasks["finish"].upstream_task_ids == {"upload.plan", "upload.send"}
    assert tasks["notify"].upstream_task_ids == {"upload.finish"}
    assert {task.retries for name, task in tasks.items() if name != "notify"} == {7}
    assert tasks["send"].map_index_template == "{{ task.shard_name }}"
    assert tasks["plan"].shards == 3


def test_arguments_of_the_group() -> None:
    """Each task gets what it takes; what would be the same thing twice, one of them gets."""
    told: list[Any] = []
    tasks = grouped(
        include="*.csv",
        exclude=["a"],
        symlinks="skip",
        bucket_name="other",
        allow_empty=True,
        delete_removed=True,
        dry_run=True,
        skip_unchanged=False,
        meta={"a": "b"},
        parallel=3,
        oss_conn_id="mine",
        pool="uploads",
        max_active_tis_per_dagrun=4,
        map_index_template="mine",
        outlets=["asset"],
        inlets=["other asset"],
        trigger_rule="all_done",
        on_success_callback=told.append,
        shard_files=1000,
    )
    plan, finish = tasks["plan"], tasks["finish"]
    send = tasks["send"].unmap({"shard": {"after": None, "until": None}})
    for task in (plan, send, finish):
        assert (task.include, task.exclude, task.symlinks, task.bucket_name) == ("*.csv", ["a"], "skip", "other")
        assert (task.allow_empty, task.oss_conn_id, task.pool) == (True, "mine", "uploads")
    assert (send.only_tell, send.skip_unchanged, send.meta, send.parallel) == (True, False, {"a": "b"}, 3)
    assert (send.delete_removed, finish.delete_removed) == (False, True)
    assert (plan.shard_files, tasks["send"].map_index_template) == (1000, "mine")
    assert [task.max_active_tis_per_dagrun for task in (plan, send, finish)] == [None, 4, None]
    assert [bool(task.outlets) for task in (plan, send, finish)] == [False, False, True]
    assert [bool(task.inlets) for task in (plan, send, finish)] == [True, False, False]
    assert [task.trigger_rule for task in (plan, finish)] == ["all_done", "all_success"]
    assert [bool(task.on_success_callback) for task in (plan, finish)] == [False, True]


def test_wrong_arguments_of_the_group() -> None:
    """They are errors of the DAG file, as those of an operator."""
    with pytest.raises(OSSInvalidArgument, match="shards=None is a NoneType: give a whole number or text"):
        grouped(shards=None)
    with pytest.raises(MISSPELT, match="chards"):
        grouped(chards=5)
