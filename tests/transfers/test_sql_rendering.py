"""Every option of an export, as it comes out of Airflow's rendering: of plain templates and of native ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.exports.formats import CsvFormat
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.operators.conftest import Run

native_or_not = pytest.mark.parametrize("native", [False, True], ids=["plain", "native"])


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], sqlite: Callable[..., None]) -> None:
    connect()
    sqlite("CREATE TABLE t (a, b)", "INSERT INTO t VALUES ('x;''y', NULL), ('00', 'z')")


def export(*, native: bool, **arguments: Any) -> Callable[[], SQLToOSSOperator]:
    usual = {"task_id": "export", "conn_id": "lite", "key": "a.csv", "sql": "SELECT a, b FROM t ORDER BY a DESC"}

    def build() -> SQLToOSSOperator:
        operator = SQLToOSSOperator(**(usual | arguments))
        operator.dag.render_template_as_native_obj = native
        return operator

    return build


def stored() -> dict[str, bytes]:
    objects = {}
    for found in OSSHook().list_objects():
        with OSSHook().get_object(found.ref.key) as body:
            objects[found.ref.key] = body.read()
    return objects


WRITTEN: dict[str, list[tuple[Any, bytes]]] = {
    "header": [
        *((value, b"x;'y,\n00,z\n") for value in (False, "{{ 1 == 2 }}", "false", "{{ 'False' }}")),
        *((value, b"a,b\nx;'y,\n00,z\n") for value in (True, "{{ 1 == 1 }}", "true")),
    ],
    "delimiter": [
        *((value, b'a;b\n"x;\'y";\n00;z\n') for value in (";", "{{ ';' }}")),
        *((value, b"a\tb\nx;'y\t\n00\tz\n") for value in ("\t", r"\t", "{{ '\t' }}", r"{{ '\\t' }}")),
        *((value, b"a1b\nx;'y1\n001z\n") for value in ("1", "{{ 1 }}")),
    ],
    "quotechar": [(value, b"a,b\n'x;''y',\n00,z\n") for value in ("'", '{{ "\'" }}')],
    "quoting": [
        *((value, b'"a","b"\n"x;\'y",\n"00","z"\n') for value in ("all", "{{ 'all' }}")),
        *((value, b"a,b\nx;'y,\n00,z\n") for value in ("minimal", "{{ 'minimal' }}")),
    ],
    "line_ending": [
        *((value, b"a,b\r\nx;'y,\r\n00,z\r\n") for value in ("\r\n", r"\r\n", "{{ '\r\n' }}", r"{{ '\\r\\n' }}")),
        *((value, b"a,b\nx;'y,\n00,z\n") for value in ("\n", r"\n", "{{ '\n' }}", "{{ '' }}\n")),
    ],
    "null_marker": [
        *((value, b"a,b\nx;'y,NULL\n00,z\n") for value in ("NULL", "{{ 'NULL' }}")),
        *((value, b"a,b\nx;'y,None\n00,z\n") for value in ("None", "{{ 'None' }}", "{{ none }}")),
        *((value, b'a,b\nx;\'y,00\n"00",z\n') for value in ("00", "{{ '00' }}", "{{ '0' }}0")),
        *((value, b"a,b\nx;'y,\n00,z\n") for value in ("", "{{ '' }}")),
    ],
}


def test_every_option_is_here() -> None:
    """The table has each option of csv."""
    assert list(WRITTEN) == [field.name for field in fields(CsvFormat)]


@native_or_not
@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, *row) for name, rows in WRITTEN.items() for row in rows], ids=repr
)
def test_csv_options(run: Run, name: str, value: Any, expected: bytes, *, native: bool) -> None:
    """An option is what its text says, whether the text is written or rendered, and however it is rendered."""
    run(export(native=native, csv_options={name: value}))
    assert stored() == {"a.csv": expected}


RENDERED: dict[str, tuple[Any, Any]] = {
    "sql": ("SELECT a FROM t", "SELECT {{ 'a' }} FROM t"),
    "conn_id": ("lite", "{{ 'lite' }}"),
    "parameters": (["x\r\n", 2, "\n"], ["x\r\n", "{{ 2 }}", "{{ '' }}\n"]),
    "file_format": ("jsonl", "{{ 'jsonl' }}"),
    "csv_options": ({"header": False}, {"header": "{{ 'header' != 'header' }}"}),
    "columns": (["a"], ["{{ 'a' }}"]),
    "exclude": (["b"], ["{{ 'b' }}"]),
    "compression": ("gzip", "{{ 'gzip' }}"),
    "split_rows": (1, "{{ 1 }}"),
    "split_bytes": (1, "{{ 1 }}"),
    "partition_by": (["a"], ["{{ 'a' }}"]),
    "max_open_partitions": (1, "{{ 1 }}"),
    "shard": ({"index": 0, "parameters": ["01"]}, {"index": 0, "parameters": ["{{ '01' }}"]}),
    "manifest": ("m.json", "{{ 'm' }}.json"),
    "batch_rows": (1, "{{ 1 }}"),
}


NEEDED: dict[str, dict[str, Any]] = {
    "parameters": {"sql": "SELECT ? || CAST(? AS INT) || ? AS a"},
    "batch_rows": {"split_rows": 1},
    "partition_by": {"keep_partition_columns": True},
    "max_open_partitions": {"partition_by": ["a"], "keep_partition_columns": True},
    "shard": {"sql": "SELECT a, b FROM t WHERE a > ?"},
}
"""What goes with an argument."""


def test_every_argument_is_here() -> None:
    """The table has each templated argument that an export has of its own."""
    assert set(RENDERED) == {*SQLToOSSOperator.template_fields} - {*OSSResumableBaseOperator.template_fields}


@native_or_not
@pytest.mark.parametrize("name", RENDERED)
def test_arguments(run: Run, name: str, *, native: bool) -> None:
    """An argument that is a template stores the same objects as one that is written."""
    usual = NEEDED.get(name, {})
    written, rendered = RENDERED[name]
    run(export(native=native, **usual, **{name: written}))
    expected = stored()
    OSSHook().delete_objects(list(expected))
    run(export(native=native, **usual, **{name: rendered}))
    assert stored() == expected


def test_line_ends_of_parameters(run: Run) -> None:
    """Jinja neither drops nor changes the line ends of what is asked for."""
    run(export(native=False, sql="SELECT hex(?) AS a", parameters=["x\r\n"], csv_options={"header": False}))
    assert stored() == {"a.csv": b"780D0A\n"}


def test_dag_that_keeps_newlines(run: Run, tmp_path: Path) -> None:
    """In a DAG whose templates keep their last newline, a query is still read from its file."""
    (tmp_path / "query.sql").write_text("SELECT 1 AS a\n")

    def build() -> SQLToOSSOperator:
        operator = export(native=False, sql="query.sql")()
        operator.dag.template_searchpath = [str(tmp_path)]
        operator.dag.jinja_environment_kwargs = {"keep_trailing_newline": True}
        return operator

    run(build)
    assert stored() == {"a.csv": b"a\n1\n"}


@native_or_not
def test_options_from_one_template(run: Run, *, native: bool) -> None:
    """Options that one template makes are taken from native templates; text that looks like them is refused."""
    build = export(native=native, csv_options="{{ {'header': false, 'line_ending': '\r\n'} }}")
    if native:
        run(build)
        assert stored() == {"a.csv": b"x;'y,\r\n00,z\r\n"}
    else:
        with pytest.raises(
            AirflowFailException, match=r"csv_options is a str: give a mapping of names to values, or None; of"
        ):
            run(build)
