"""What the operators tell Airflow's OpenLineage provider, asked through its real extractor manager."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, ObjectStoragePath
from airflow.utils.state import TaskInstanceState

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSServiceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.lineage import DatasetFacts, bounded, source, stored
from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from tests.operators.conftest import DATA, Build, Run
from tests.support.lineage import in_a_task
from tests.support.openlineage import Lineage, lineage_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

OUTPUT = ("oss://exports", "daily/a b#1.csv")
ARGUMENTS: dict[str, Any] = {"task_id": "upload", "key": "daily/a b#1.csv"}


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


@pytest.mark.parametrize(
    "operator",
    [
        lambda path: OSSPutObjectOperator(file_path=path, **ARGUMENTS),
        lambda path: OSSPutStreamOperator(stream=path.as_uri(), **ARGUMENTS),
        lambda path: OSSPutStreamOperator(stream=ObjectStoragePath(path.as_uri()), **ARGUMENTS),
        lambda path: OSSResumableStreamOperator(stream=str(path), **ARGUMENTS),
        lambda path: OSSResumableUploadOperator(file_path=str(path), **ARGUMENTS),
        lambda path: OSSResumableUploadOperator(file_path="{{ '" + str(path) + "' }}", **ARGUMENTS),
    ],
)
def test_one_file(told: Callable[[Build], Lineage], file: Path, operator: Callable[[Path], Any]) -> None:
    """A file is the input and the object the output, with its key unescaped and its size."""
    lineage = told(lambda: operator(file))
    assert lineage.inputs == [("file", str(file))]
    assert lineage.outputs == [OUTPUT]
    assert lineage.statistics(OUTPUT) == {"rowCount": None, "size": len(DATA), "fileCount": None}


def test_a_copy(told: Callable[[Build], Lineage]) -> None:
    """One object is the input and the other the output."""
    OSSHook().put_object("reports/a.csv", DATA)
    lineage = told(lambda: OSSCopyObjectOperator(source_key="reports/a.csv", **ARGUMENTS))
    assert lineage.inputs == [("oss://exports", "reports/a.csv")]
    assert lineage.outputs == [OUTPUT]
    assert lineage.statistics(OUTPUT) == {"rowCount": None, "size": len(DATA), "fileCount": None}


def test_a_download(told: Callable[[Build], Lineage], tmp_path: Path) -> None:
    """The object is the input and the file the output."""
    OSSHook().put_object(ARGUMENTS["key"], DATA)
    lineage = told(lambda: OSSDownloadObjectOperator(file_path=f"{tmp_path}/{{{{ ds }}}}.csv", **ARGUMENTS))
    assert lineage.inputs == [OUTPUT]
    assert lineage.outputs == [("file", f"{tmp_path}/2026-11-21.csv")]


@pytest.mark.parametrize(
    "build",
    [
        lambda: OSSPutObjectOperator(data="text", **ARGUMENTS),
        lambda: OSSPutStreamOperator(stream=lambda: io.BytesIO(b"text"), **ARGUMENTS),
        lambda: OSSResumableStreamOperator(stream=lambda: [b"te", b"xt"], **ARGUMENTS),
    ],
)
def test_what_the_task_makes_itself(told: Callable[[Build], Lineage], build: Build) -> None:
    """Data and the output of a function come from nowhere that has a name."""
    lineage = told(build)
    assert (lineage.inputs, lineage.outputs) == ([], [OUTPUT])
    assert lineage.statistics(OUTPUT)["size"] == 4


def test_outlets_are_not_told_twice(told: Callable[[Build], Lineage], file: Path) -> None:
    """With outlets, and a plugin that reads hook lineage, every dataset is told once, with its facts."""
    outlets = [Asset("oss://exports/daily/a%20b%231.csv")]
    with in_a_task(with_reader=True):
        lineage = told(lambda: OSSResumableUploadOperator(file_path=file, outlets=outlets, **ARGUMENTS))
    assert (lineage.inputs, lineage.outputs) == ([("file", str(file))], [OUTPUT])
    assert lineage.statistics(OUTPUT)["size"] == len(DATA)


def test_a_directory(told: Callable[[Build], Lineage], tmp_path: Path) -> None:
    """Directory and prefix are one dataset each, with the number of files that are there and their size."""
    directory = tmp_path / "export"
    directory.mkdir()
    for name in ("a", "b"):
        (directory / name).write_bytes(DATA)
    arguments: dict[str, Any] = {"task_id": "upload", "key": "daily", "directory": directory}
    assert told(lambda: OSSUploadDirectoryOperator(**arguments, dry_run=True)).outputs == []
    for _ in range(2):  # sent, and there already
        lineage = told(lambda: OSSUploadDirectoryOperator(**arguments))
        assert (lineage.inputs, lineage.outputs) == ([("file", str(directory))], [("oss://exports", "daily")])
        expected = {"rowCount": None, "size": 2 * len(DATA), "fileCount": 2}
        assert lineage.statistics(("oss://exports", "daily")) == expected


def test_files(told: Callable[[Build], Lineage], file: Path) -> None:
    """Each file is a dataset, and the prefix, with the number of files that are there and their size."""
    lineage = told(lambda: OSSUploadFilesOperator(task_id="upload", key="daily", files={"a": file, "b": file}))
    assert (lineage.inputs, lineage.outputs) == ([("file", str(file))] * 2, [("oss://exports", "daily")])
    expected = {"rowCount": None, "size": 2 * len(DATA), "fileCount": 2}
    assert lineage.statistics(("oss://exports", "daily")) == expected


def test_a_directory_of_which_a_part_is_stored(
    in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context], tmp_path: Path
) -> None:
    """A task that failed of one file tells of the others, which are stored."""
    directory = tmp_path / "export"
    directory.mkdir()
    (directory / "a").write_bytes(DATA)
    (directory / "b").symlink_to("missing")
    operator = in_dag(lambda: OSSUploadDirectoryOperator(task_id="upload", key="daily", directory=directory))
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    lineage = lineage_of(operator, TaskInstanceState.FAILED)
    assert (lineage.inputs, lineage.outputs) == ([("file", str(directory))], [("oss://exports", "daily")])
    assert lineage.statistics(("oss://exports", "daily"))["fileCount"] == 1


def test_a_task_that_failed(
    in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context], server: OSSEmulator, file: Path
) -> None:
    """A task that stored nothing tells of nothing; of its outlets, if it has some, OpenLineage tells by itself."""
    operator = in_dag(lambda: OSSPutObjectOperator(file_path=file, **ARGUMENTS))
    context = context_of(operator)
    operator.hook.retry = RetryPolicy(tries=1)
    server.faults.add(Fault(operation="PutObject", status=503, code="ServiceUnavailable"))
    with pytest.raises(OSSServiceUnavailable):
        operator.execute(context)
    lineage = lineage_of(operator, TaskInstanceState.FAILED)
    assert (lineage.inputs, lineage.outputs) == ([], [])


def test_a_task_that_begins(in_dag: Callable[[Build], Any]) -> None:
    """At its beginning, when templates may not be rendered, nothing is told."""
    lineage = lineage_of(in_dag(lambda: OSSPutObjectOperator(data="", **ARGUMENTS)), TaskInstanceState.RUNNING)
    assert (lineage.inputs, lineage.outputs) == ([], [])


def test_without_the_openlineage_provider(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of OpenLineage is needed to run an operator."""
    for module in ("airflow.providers.openlineage", "airflow.providers.openlineage.extractors", "openlineage"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run(lambda: OSSPutObjectOperator(data="text", **ARGUMENTS))["size"] == 4


@pytest.mark.parametrize(
    ("location", "dataset"),
    [
        ("/data/a b#1.csv", ("file", "/data/a b#1.csv")),
        (Path("/data/a.csv"), ("file", "/data/a.csv")),
        ("file:///data/a%20b.csv", ("file", "/data/a b.csv")),
        ("s3://aws_default@lake/a b#1?.csv", ("s3://lake", "a b#1?.csv")),
        ("gs://lake", ("gs://lake", "/")),
        ("https://user:password@example.com:8443/a/b.csv?token=x#y", ("https://example.com:8443", "a/b.csv")),
        ("https://example.com?token=x", ("https://example.com", "/")),
    ],
)
def test_sources(location: str | Path, dataset: tuple[str, str]) -> None:
    """A source is named by its storage and its path; secrets of a web address are no part of it."""
    assert source(location) == DatasetFacts(*dataset)


def test_a_relative_path() -> None:
    """A path is told from the root on."""
    assert source("a.csv").name == str(Path("a.csv").absolute())


def test_many_datasets_become_their_folder() -> None:
    """More than a hundred objects are told as the folder that has them all, one for each bucket, with the sums."""
    objects = [stored("exports", f"daily/part-{number:03}.csv", 10, rows=2) for number in range(100)]
    assert bounded(objects) == objects
    more = [*objects, stored("other", "a", 5), stored("exports", "daily/more/x", None)]
    assert bounded(more) == [
        DatasetFacts("oss://exports", "daily", size_bytes=1000, rows=200, files=101),
        DatasetFacts("oss://other", "/", size_bytes=5, files=1),
    ]
