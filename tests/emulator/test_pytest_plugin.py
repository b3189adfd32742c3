"""The fixtures, in test runs of their own."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

NAMES = ("oss_server", "oss_bucket", "oss_connection", "oss_faults")


def test_a_server_for_each_test(pytester: pytest.Pytester) -> None:
    """Each test has an empty server on a port of its own, which ends with the test."""
    pytester.makepyfile(
        """
        import socket

        import pytest

        ports = []

        @pytest.mark.parametrize("number", [1, 2])
        def test_uses_it(oss_server, oss_bucket, number):
            assert oss_bucket == "exports"
            assert oss_server.requests == ()
            assert ports.count(oss_server.port) == 0
            ports.append(oss_server.port)

        def test_after_them():
            for port in ports:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), timeout=5)
        """
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_the_connection(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is there during the test, names the server, and is as before afterwards."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", "mine")
    pytester.makepyfile(
        """
        import json, os

        def test_connection(oss_connection, oss_server, oss_bucket):
            assert oss_connection == "oss_default"
            assert json.loads(os.environ["AIRFLOW_CONN_OSS_DEFAULT"]) == {
                "conn_type": "aliyun_oss",
                "host": oss_server.endpoint,
                "schema": oss_bucket,
                "login": "local-access-key-id",
                "password": "local-access-key-secret",
                "extra": {"region": "cn-hangzhou"},
            }

        def test_more_in_its_extra(oss_server):
            connection = json.loads(oss_server.airflow_connection(read_timeout=2, region="cn-beijing"))
            assert connection["extra"] == {"region": "cn-beijing", "read_timeout": 2}
        """
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)
    assert os.environ["AIRFLOW_CONN_OSS_DEFAULT"] == "mine"


def test_faults(pytester: pytest.Pytester) -> None:
    """Faults are those of the server of the test, and of no other."""
    pytester.makepyfile(
        """
        from airflow_provider_oss.emulator import Fault

        def test_misbehaves(oss_server, oss_faults):
            oss_faults.add(Fault(status=500))
            assert oss_faults is oss_server.faults

        def test_behaves(oss_faults):
            assert oss_faults.in_force() == ()
        """
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_marker(pytester: pytest.Pytester) -> None:
    """The marker gives the server arguments by name; of several, the closest has the last word."""
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.oss_server(buckets=["reports"], region="cn-beijing")

        def test_module(oss_bucket, oss_server):
            assert (oss_bucket, "cn-beijing" in oss_server.airflow_connection()) == ("reports", True)

        @pytest.mark.oss_server(buckets=["logs", "reports"])
        def test_closer(oss_bucket, oss_server):
            assert (oss_bucket, "cn-beijing" in oss_server.airflow_connection()) == ("logs", True)

        @pytest.mark.oss_server(["logs"])
        def test_without_a_name(oss_server):
            ...

        @pytest.mark.oss_server(bucket="logs")
        def test_with_a_wrong_one(oss_server):
            ...
        """
    )
    result = pytester.runpytest("-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["*takes 0 positional arguments but 1 was given", "*unexpected keyword argument 'bucket'"]
    )


LIST_MODULES = """
import json, sys

def pytest_unconfigure():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


def loaded(pytester: pytest.Pytester, *options: str) -> set[str]:
    """The modules after a run of one test that uses no fixture of ours."""
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)
    return set(json.loads(Path("modules.json").read_text()))


def test_a_run_that_uses_nothing_imports_nothing(pytester: pytest.Pytester) -> None:
    """Beside the plugin itself no run has one module more: no server, no Airflow."""
    pytester.makeconftest(LIST_MODULES)
    pytester.makepyfile("def test_nothing(): ...")
    assert loaded(pytester) - loaded(pytester, "-p", "no:oss-local") == {
        "airflow_provider_oss",
        "airflow_provider_oss.emulator",
        "airflow_provider_oss.emulator.pytest_plugin",
    }


def test_every_fixture_is_described(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` and `--markers` say what there is."""
    pytester.makepyfile("def test_nothing(): ...")
    listed = pytester.runpytest("--fixtures").stdout.str()
    assert re.findall(r"^(oss_\w+) -- .*\n +[A-Z]", listed, re.MULTILINE) == list(NAMES)
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.oss_server(**arguments): *"])
