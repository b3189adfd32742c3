"""The page of the local OSS server names every option of its command and every fixture."""

from __future__ import annotations

import re

import pytest

from airflow_provider_oss.emulator import oss_local
from tests.docs.pages import ROOT, table_rows

PAGE = ROOT / "docs" / "local_server.md"


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the options that the command has, each once."""
    with pytest.raises(SystemExit):
        oss_local.main(["--help"])
    options = set(re.findall(r"(?<=\s)--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    shown = [name for cell, _ in table_rows(PAGE, "Try a DAG") for name in re.findall(r"--[a-z-]+", cell)]
    assert sorted(shown) == sorted(options)


def test_fixtures(pytester: pytest.Pytester) -> None:
    """The table has the fixtures that pytest finds, each once."""
    pytester.makepyfile("def test_nothing(): ...")
    fixtures = re.findall(r"^(oss_\w+) -- ", pytester.runpytest("--fixtures").stdout.str(), re.MULTILINE)
    assert sorted(cell.strip("`") for cell, _ in table_rows(PAGE, "Test a DAG")) == sorted(fixtures)
