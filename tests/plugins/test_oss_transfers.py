"""The plugin as Airflow finds it, in every process."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from airflow_provider_oss.plugins.oss_transfers import OSSTransfersPlugin
from tests.support.airflow_home import run_beside_airflow
from tests.support.airflow_version import HAS_PAGES

if TYPE_CHECKING:
    import pytest

# As a task's process does, which has imported Airflow and what all providers share
MEASURE: Final = """
import json, sys, time
from importlib.metadata import entry_points
from airflow.providers.common.compat.sdk import AirflowPlugin

[point] = [one for one in entry_points(group="airflow.plugins") if one.name == "oss_transfers"]
before, started = set(sys.modules), time.perf_counter()
plugin = point.load()()
elapsed = time.perf_counter() - started
print(json.dumps({"milliseconds": elapsed * 1000, "added": sorted(set(sys.modules) - before)}))
"""


def test_airflow_finds_it() -> None:
    """By its entry point, under its own name."""
    [found] = [point for point in entry_points(group="airflow.plugins") if point.name == "oss_transfers"]
    assert found.load() is OSSTransfersPlugin
    assert OSSTransfersPlugin.name == "oss_transfers"


def test_it_is_offered_where_pages_are() -> None:
    """Below Airflow 3.1 there is neither page nor app; the page's address leads from the UI to the app."""
    plugin = OSSTransfersPlugin()
    assert (len(plugin.react_apps), len(plugin.fastapi_apps)) == ((1, 1) if HAS_PAGES else (0, 0))
    for page, app in zip(plugin.react_apps, plugin.fastapi_apps, strict=True):
        assert app["url_prefix"] == f"/{page['url_route']}"
        script = unquote(page["bundle_url"])
        assert f'"{page["url_route"]}/static/transfers.js", document.baseURI' in script
        assert f'globalThis["{page["name"]}"]' in script


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """In airflow.cfg, or the environment."""
    monkeypatch.setenv("AIRFLOW__ALIYUN_OSS__TRANSFERS_PAGE", "False")
    plugin = OSSTransfersPlugin()
    assert (plugin.react_apps, plugin.fastapi_apps) == ([], [])


def test_every_process_can_afford_it(tmp_path: Path) -> None:
    """Loading it imports two modules of ours and nothing else: no app, no hook, no web framework."""
    measured = json.loads(run_beside_airflow(tmp_path, MEASURE).stdout.splitlines()[-1])
    print(f"loading the plugin: {measured['milliseconds']:.1f} ms, {measured['added']}")  # noqa: T201
    ours = {"airflow_provider_oss", "airflow_provider_oss.plugins", "airflow_provider_oss.plugins.oss_transfers"}
    assert set(measured["added"]) - ours <= sys.stdlib_module_names
