"""How MySQL and MariaDB are read by their three drivers: values as the server sends them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Final

from airflow_provider_oss.exports.mysql import MysqlField, decoded, mysql_column
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult, batches_of, description_of, execute
from airflow_provider_oss.transfers.drivers import MYSQL, driver_of

log = Log(__name__)

_SHORTENED: Final = "float"
_BINARY_CHARSET: Final = 63
_BINARY_FLAG: Final = 128


def mysql_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Read with a cursor that leaves the rows on the server until they are fetched."""
    driver = driver_of(connection)
    cursor = _raw_cursor(connection, driver)
    execute(cursor, query, MYSQL)
    description_of(cursor)
    stack.callback(_leave, cursor, driver)
    fields = _fields_of(connection, cursor, driver)
    columns = tuple(map(mysql_column, fields))
    for column in columns:
        if column.type_name == _SHORTENED:
            log.warning("Column %s is a FLOAT, of which MySQL sends 6 digits: CAST(... AS DOUBLE) has all", column.name)
    batches = batches_of(cursor, query)
    return QueryResult(columns, decoded(fields, batches), text_rows=decoded(fields, batches, as_text=True))


def _raw_cursor(connection: Any, driver: str) -> Any:
    """
    Return a cursor whose values are bytes in UTF-8, whatever the connection's character set; it may not write.

    ``driver`` is ``MySQLdb``, ``pymysql`` or ``mysql`` (mysql-connector-python).
    """
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        if driver == "mysql":
            cursor.execute("SET character_set_results = utf8mb4")
    if driver == "mysql":
        return connection.cursor(buffered=False, raw=True)
    set_character_set = getattr(connection, "set_character_set", None) or connection.set_charset  # PyMySQL before 1.1
    set_character_set("utf8mb4")
    if driver == "pymysql":
        connection.decoders = {}
        connection.use_unicode = False
    else:
        # mysqlclient takes the second where the character set is not binary, and the result says which it took
        connection.converter = {code: [(_BINARY_FLAG, bytes), str] for code in range(256)}
    return connection.cursor(import_module(f"{driver}.cursors").SSCursor)


def _fields_of(connection: Any, cursor: Any, driver: str) -> Sequence[MysqlField]:
    """
    Return what the server says of the result's columns.

    The character set tells text and bytes apart; the flag BINARY does not, because text may have it for its collation.
    """
    if driver == "mysql":
        # It reads names in the connection's character set; and it does not pass on how many digits a decimal has
        own = connection.python_charset
        return [
            MysqlField(name.encode(own).decode(), code, flags, charset == _BINARY_CHARSET, None, None)
            for name, code, _, _, _, _, _, flags, charset in cursor.description
        ]
    result = cursor._result  # noqa: SLF001 - no public way to the flags and character sets
    if driver == "pymysql":
        return [
            MysqlField(
                each.name, each.type_code, each.flags, each.charsetnr == _BINARY_CHARSET, each.length, each.scale
            )
            for each in result.fields
        ]
    described = zip(cursor.description, cursor.description_flags, result.converter, strict=True)
    return [
        MysqlField(name, code, flags, converter is bytes, length, scale)
        for (name, code, _, length, _, scale, _), flags, converter in described
    ]


def _leave(cursor: Any, driver: str) -> None:
    """
    Let the cursor end without reading the rows that are left: its connection is about to be closed.

    It is not closed itself, because that would read them all; when PyMySQL's is forgotten it would try to.
    """
    if driver == "pymysql":
        cursor.connection = None
        cursor._result.unbuffered_active = False  # noqa: SLF001 - no public way
