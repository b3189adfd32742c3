"""An Airflow whose transfers are watched: below a sub-path of its server, with users who log in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.airflow_users import AirflowWithUsers

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

_COOKIE: Final = "_token"

ORDERS: Final = 20_000
"""How many rows there are to be exported."""


class WatchedAirflow(AirflowWithUsers):
    """See ``AirflowWithUsers``; ``url`` has the sub-path."""

    base_path = "/airflow"

    def log_in_as(self, name: str, context: BrowserContext) -> None:
        """Let the browser be that of the user: a cookie says who it is, as after the form."""
        context.clear_cookies()
        context.add_cookies([{"name": _COOKIE, "value": self.token(name), "url": self.url}])


def table_of_orders(database: Path) -> Path:
    """Make an SQLite database that has something to export, and return it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER, text TEXT)")
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?)", ((number, f"order {number}") for number in range(ORDERS))
        )
    return database
