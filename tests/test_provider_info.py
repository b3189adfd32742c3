"""What Airflow finds out about the provider: by itself, beside the provider that has a connection type for OSS too."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.triggers.base import BaseTrigger
from jsonschema import Draft7Validator, Draft202012Validator

from airflow_provider_oss import __version__
from airflow_provider_oss.assets.oss import convert_asset_to_openlineage, create_asset, sanitize_uri
from airflow_provider_oss.decorators.oss_upload import oss_upload_task
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.links.oss import OSSObjectLink
from airflow_provider_oss.operators.base import OSSUploadBaseOperator
from airflow_provider_oss.provider_info import get_provider_info
from tests.support.airflow_home import run_beside_airflow
from tests.support.airflow_version import FORM_FIELDS, IS_AIRFLOW_2

ASK_AIRFLOW = """
import json
from airflow.providers_manager import ProvidersManager
from airflow.providers.common.compat.sdk import Asset, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

manager = ProvidersManager()
if AIRFLOW_V_3_0_PLUS:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    shown = {meta.connection_type: meta.model_dump(mode="json") for meta in HookMetaService.hook_meta_data()}
else:
    shown = {kind: {"hook_class_name": hook.hook_class_name, "hook_name": hook.hook_name, "extra_fields": {}}
             for kind, hook in manager.hooks.items() if hook}
    for name, widget in manager.connection_form_widgets.items():
        if name.startswith("extra__aliyun_oss__"):
            shown["aliyun_oss"]["extra_fields"][widget.field_name] = {}
provider = manager.providers["airflow-provider-oss"]
word = "asset" if AIRFLOW_V_3_0_PLUS else "dataset"
handlers, factories = getattr(manager, word + "_uri_handlers"), getattr(manager, word + "_factories")
converters = getattr(manager, word + "_to_openlineage_converters")
assets = {"handler": handlers["oss"], "factory": factories["oss"], "converter": converters["oss"]}
decorators = {name: manager.taskflow_decorators[name] for name in ("oss_upload",)}
print(
    json.dumps(
        {
            "version": provider.version,
            "data": provider.data,
            "shown": shown,
            "decorators": {name: f"{found.__module__}.{found.__name__}" for name, found in decorators.items()},
            "for_dags": task.oss_upload is decorators["oss_upload"],
            "assets": {kind: f"{found.__module__}.{found.__name__}" for kind, found in assets.items()},
            "asset": Asset("oss://oss_default@exports/a b/").uri,
            "links": manager.extra_links_class_names,
            "triggers": [trigger.trigger_class_name for trigger in manager.trigger],
            "filesystems": manager.filesystem_module_names,
        }
    )
)
"""

INFO = get_provider_info()
SCHEMA_FILE = Path(import_module("airflow_provider_oss.hooks").__file__ or "").parent / "connection.schema.json"
EXTRAS = json.loads(SCHEMA_FILE.read_text())["properties"]

# One process asks Airflow once
pytestmark = pytest.mark.xdist_group("provider-info")


@pytest.fixture(scope="module")
def airflow_says(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a new Airflow process knows of the installed providers, and what it had to say when it looked."""
    home = tmp_path_factory.mktemp("airflow")
    done = run_beside_airflow(home, ASK_AIRFLOW)
    *log, answer = done.stdout.splitlines()
    return json.loads(answer) | {"log": "\n".join([*log, done.stderr])}


def test_airflow_discovers_the_provider(airflow_says: Any) -> None:
    """The installed distribution's entry point tells Airflow name and version, without a warning."""
    [found] = [point for point in entry_points(group="apache_airflow_provider") if point.load() is get_provider_info]
    assert found.name == "provider_info"
    assert airflow_says["version"] == __version__ == version("airflow-provider-oss")
    assert airflow_says["data"]["package-name"] == "airflow-provider-oss"
    # Airflow 3.0 notes of every hook that the old form's packages are not there
    assert [line for line in airflow_says["log"].splitlines() if "oss" in line.lower() and " INFO " not in line] == []


def test_both_connection_types_are_there(airflow_says: Any) -> None:
    """Beside the alibaba provider's connection type ours has its own entry, and neither hides the other."""
    shown = airflow_says["shown"]
    assert shown["aliyun_oss"]["hook_class_name"] == "airflow_provider_oss.hooks.oss.OSSHook"
    assert shown["oss"]["hook_class_name"] == "airflow.providers.alibaba.cloud.hooks.oss.OSSHook"
    assert shown["aliyun_oss"]["hook_name"] != shown["oss"]["hook_name"]


def test_the_fields_of_the_form(airflow_says: Any) -> None:
    """The form has every extra; where it is made of widgets, those that are JSON objects are left out."""
    shown = set(airflow_says["shown"]["aliyun_oss"]["extra_fields"] or ())
    left_out = {"all": set(), "texts": {"proxies", "role_policy"}, "none": set(EXTRAS)}[FORM_FIELDS]
    assert shown == set(EXTRAS) - left_out


def test_the_form() -> None:
    """Each field of the form has a label and help, the same choices as the schema, the token hidden, names renamed."""
    [form] = INFO["connection-types"]
    assert set(form["conn-fields"]) == set(EXTRAS)
    for name, field in form["conn-fields"].items():
        assert field["label"], name
        assert field["description"], name
        choices = ["true", "false"] if EXTRAS[name].get("type") == "boolean" else EXTRAS[name].get("enum", [])
        assert set(field["schema"].get("enum", [])) == set(choices), name
    assert form["conn-fields"]["security_token"]["schema"]["format"] == "password"
    labels, placeholders = form["ui-field-behaviour"]["relabeling"], form["ui-field-behaviour"]["placeholders"]
    assert (labels["login"], labels["password"]) == ("AccessKey ID", "AccessKey secret")
    assert (labels["host"], labels["schema"]) == ("Endpoint", "Default bucket")
    assert placeholders["port"] == "443"


def test_the_decorator(airflow_says: Any) -> None:
    """Airflow's list of task decorators has ours, and DAG files find it as ``@task.oss_upload``."""
    path = f"{oss_upload_task.__module__}.{oss_upload_task.__name__}"
    assert airflow_says["decorators"] == {"oss_upload": path}
    assert [entry["class-name"] for entry in INFO["task-decorators"]] == [path]
    assert airflow_says["for_dags"]


def test_assets_and_links(airflow_says: Any) -> None:
    """Airflow asks ours what an asset's ``oss://`` URI means, and knows the link to the console."""
    functions = (("handler", sanitize_uri), ("factory", create_asset), ("converter", convert_asset_to_openlineage))
    assert airflow_says["assets"] == {kind: f"{one.__module__}.{one.__name__}" for kind, one in functions}
    assert airflow_says["asset"] == "oss://exports/a%20b"
    assert INFO["dataset-uris"] == INFO["asset-uris"]  # the name that Airflow 2 knows
    assert f"{OSSObjectLink.__module__}.{OSSObjectLink.__name__}" in airflow_says["links"]
    assert isinstance(OSSUploadBaseOperator.operator_extra_links[0], OSSObjectLink)


def test_sensors_triggers_and_filesystem(airflow_says: Any) -> None:
    """Airflow knows the triggers and what opens ``oss://`` paths, and is told where the sensors are."""
    assert "airflow_provider_oss.triggers.oss" in airflow_says["triggers"]
    assert "airflow_provider_oss.fs.oss" in airflow_says["filesystems"]
    [sensors] = airflow_says["data"]["sensors"]
    assert sensors["python-modules"] == ["airflow_provider_oss.sensors.oss"]


def test_follows_the_schema_of_airflow() -> None:
    """The information is valid by Airflow's own schemas, and has no key that they do not know."""
    folder = Path(airflow.__file__).parent
    schema = json.loads((folder / "provider_info.schema.json").read_text())
    Draft7Validator(schema).validate(INFO)
    # "versions" is in no schema, but read by the providers manager; Airflow 2 knows fewer keys
    assert set(INFO) - set(schema["properties"]) == {"versions"} or IS_AIRFLOW_2
    of_sources = json.loads((folder / "provider.yaml.schema.json").read_text())["properties"]["connection-types"]
    Draft7Validator(of_sources).validate(INFO["connection-types"])
    for field in INFO["connection-types"][0]["conn-fields"].values():
        Draft202012Validator.check_schema(field["schema"])


def test_it_names_everything() -> None:
    """Modules of triggers, filesystems and links of the package are in it, each where Airflow looks for it."""
    triggers = {kind.__module__ for kind in _own("triggers", BaseTrigger)}
    assert {module for entry in INFO["triggers"] for module in entry["python-modules"]} == triggers
    links = {f"{kind.__module__}.{kind.__name__}" for kind in _own("links", BaseOperatorLink)}
    assert set(INFO["extra-links"]) == links
    filesystems = {module.__name__ for module in _modules("fs") if hasattr(module, "get_fs")}
    assert set(INFO["filesystems"]) == filesystems


def _modules(part: str) -> list[ModuleType]:
    package = import_module(f"airflow_provider_oss.{part}")
    return [import_module(found.name) for found in iter_modules(package.__path__, f"{package.__name__}.")]


def _own(part: str, base: type) -> list[type]:
    found = [(module, value) for module in _modules(part) for value in vars(module).values()]
    return [
        value
        for module, value in found
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]


def test_everything_it_names_exists() -> None:
    """Modules and classes that are named can be imported, and the hook calls itself what the form does."""
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO[kind]:
            for module in entry["python-modules"]:
                import_module(module)
    for entry in INFO["transfers"]:
        import_module(entry["python-module"])
    [connection_type] = INFO["connection-types"]
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    assert getattr(import_module(module), name) is OSSHook
    assert (OSSHook.conn_type, OSSHook.hook_name) == (connection_type["connection-type"], connection_type["hook-name"])
    assert OSSHook.conn_name_attr in OSSUploadBaseOperator.template_fields
