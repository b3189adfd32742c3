"""The claim: the page has it as the code has it, and the server keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import oss2
import pytest

from airflow_provider_oss.emulator.claim import claim, write_into
from airflow_provider_oss.emulator.operations.routes import Level, Route, routes
from airflow_provider_oss.emulator.subresources import PLAIN, SELECTORS, SIGNED_BY_V1, UNKEPT_HEADERS
from tests.emulator.support import KEY_ID, SECRET, Client

PAGE = Path(__file__).parents[2] / "docs" / "local_server.md"
COMMAND = "python -m airflow_provider_oss.emulator.claim docs/local_server.md"
LACKING = sorted(SIGNED_BY_V1 - SELECTORS - PLAIN)


def test_the_page_has_the_claim() -> None:
    """The page is up to date."""
    page = PAGE.read_text("utf-8")
    assert page == write_into(page), f"run {COMMAND}"


def test_a_page_without_its_marks() -> None:
    """A page without the marks is not written."""
    with pytest.raises(ValueError, match="needs the lines"):
        write_into("# Another page\n")


def test_the_program(tmp_path: Path) -> None:
    """As a program it prints the claim, or writes it into a page."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text("utf-8").replace("| GetObject |", "| GetNothing |"), "utf-8")
    command = [sys.executable, "-m", "airflow_provider_oss.emulator.claim"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout == f"{claim()}\n"
    subprocess.run([*command, str(page)], check=True, timeout=60)
    assert page.read_text("utf-8") == PAGE.read_text("utf-8")


def test_every_route_is_answered(client: Client) -> None:
    """What the claim names is answered by the operation of that name, and not with 501."""
    client.send("PUT", "a", body=b"x")
    for route in routes():
        answer = ask(client, route)
        assert answer != 501, route
        assert client.server.requests[-1].operation == route.operation.name
    assert {route.level for route in routes()} == set(Level)


def ask(client: Client, route: Route) -> int:
    """Send a request by the route, of what is not there where that is enough, and return its status."""
    key = "a" if route.level is Level.OBJECT else ""
    query = dict.fromkeys(route.selectors.split(), "")
    headers = {}
    if "=" in route.condition:
        name, _, value = route.condition.partition("=")
        query[name] = value
    elif route.condition:
        headers = {route.condition: "/exports/a"}
    asked = Client(client.server, bucket="" if route.level is Level.SERVICE else "not-there")
    return asked.send(route.method, key, query, headers).status


@pytest.mark.parametrize("name", LACKING)
def test_parameters_that_are_lacking(client: Client, name: str) -> None:
    """What the claim says is lacking is answered 501, with a value and without."""
    signer_of_all = Client(client.server, oss2.AuthV4(KEY_ID, SECRET))
    for value in ("", "1"):
        answer = signer_of_all.send("GET", "", {name: value})
        assert (answer.status, answer.code) == (501, "NotImplemented")
        assert name in (answer.text("Message") or "")


@pytest.mark.parametrize("name", sorted(UNKEPT_HEADERS))
def test_headers_that_are_lacking(client: Client, name: str) -> None:
    """So are the headers."""
    answer = client.send("PUT", "a", headers={name: "1"}, body=b"x")
    assert (answer.status, answer.code) == (501, "NotImplemented")
