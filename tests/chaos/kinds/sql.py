"""Exports of a query: as one object and as pieces with their manifest, as csv and as parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow.parquet as pq

from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.chaos.scenario import Scene
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import World, demand

_ROWS = 3000
_CONN_ID = "lite"
_ENDING = {"csv": "csv", "parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAsOne(Transfer):
    """The rows of an SQLite table as one object."""

    file_format: str

    name: ClassVar[str] = "sql"
    calls: ClassVar[tuple[str, ...]] = IN_PARTS
    split_rows: ClassVar[int | None] = None

    @classmethod
    @contextmanager
    def staged(cls, scene: Scene) -> Iterator[Mapping[str, Any]]:
        yield {"file_format": scene.random.choice(("csv", "parquet"))}

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        rows = [(number, random.randbytes(50).hex(), random.random()) for number in range(_ROWS)]
        with closing(self._connect()) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")  # those who read see what they began with
            connection.execute("CREATE TABLE IF NOT EXISTS data (number INTEGER PRIMARY KEY, word TEXT, amount REAL)")
            connection.execute("DELETE FROM data")
            connection.executemany("INSERT INTO data VALUES (?, ?, ?)", rows)

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}data.{self.file_format}", b"old")

    def operator(self) -> Any:
        os.environ[f"AIRFLOW_CONN_{_CONN_ID.upper()}"] = json.dumps({"conn_type": "sqlite", "host": str(self._path)})
        return SQLToOSSOperator(
            sql="SELECT * FROM data ORDER BY number",
            conn_id=_CONN_ID,
            key=f"{self.key}data.{self.file_format}",
            file_format=self.file_format,
            split_rows=self.split_rows,
            **self.arguments(),
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(list(contents) == [f"data.{self.file_format}"], f"one object is stored, but: {list(contents)}")
        self.check_rows(contents.values(), result)

    def check_rows(self, objects: Any, result: Any) -> None:
        with closing(self._connect()) as connection:
            wanted = connection.execute("SELECT * FROM data ORDER BY number").fetchall()
        found = [row for content in objects for row in self._rows(content)]
        demand(found == wanted, "the objects have the rows of the table, in their order")
        demand(result["rows"] == _ROWS, f"the result tells the rows: {result['rows']}")

    def _rows(self, content: bytes) -> list[tuple[Any, ...]]:
        if self.file_format == "parquet":
            return [tuple(row.values()) for row in pq.read_table(io.BytesIO(content)).to_pylist()]
        (_, *rows) = csv.reader(io.StringIO(content.decode()))
        return [(int(number), word, float(amount)) for number, word, amount in rows]

    @property
    def _path(self) -> Any:
        return self.folder / "data.sqlite"

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAsPieces(SqlAsOne):
    """The rows of an SQLite table as pieces, each in parts, and a manifest that lists them."""

    name: ClassVar[str] = "sql-pieces"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", *IN_PARTS, "PutObject")
    split_rows: ClassVar[int | None] = 1600

    def make_old(self, world: World) -> None:
        for name in ("00000.csv", "00000.parquet", "manifest.json"):
            world.bucket().put_object(f"{self.key}data-{name}", b"old")

    def contents(self, world: World) -> dict[str, bytes]:
        """Return them with a manifest that names no prefix."""
        found = super(SqlAsPieces, self).contents(world)
        return {
            name: content.replace(self.key.encode(), b"") if name.endswith(".json") else content
            for name, content in found.items()
        }

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        manifest = json.loads(contents["data-manifest.json"])
        pieces = [piece["key"] for piece in manifest["pieces"]]
        demand(len(pieces) == 2 and manifest["rows"] == _ROWS, f"the manifest lists the pieces, but: {manifest}")
        self.check_rows([contents[name] for name in pieces], result)
