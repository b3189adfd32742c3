"""The connection in Airflow's UI: its form, and what the Test button says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection
from playwright.sync_api import expect

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.hooks.connection import _checked_extra
from airflow_provider_oss.provider_info import EXTRA_FIELDS
from tests.browser.conftest import SESSION, TakePicture
from tests.browser.connections import ConnectionsPage, kind_of
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION
from tests.support.browser import PATIENCE_MILLISECONDS
from tests.support.local_airflow import LocalAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("browser")]

expect.set_options(timeout=PATIENCE_MILLISECONDS)

STANDARD = {
    "Endpoint": "oss-cn-hangzhou.aliyuncs.com",
    "Port": "443",
    "AccessKey ID": "LTAI...",
    "AccessKey secret": "",
    "Default bucket": "exports",
}
"""Our labels of Airflow's own fields, and what they show while they are empty."""

STATIC: dict[str, Any] = {
    "region": REGION,
    "signature_version": "v4",
    "addressing_style": "path",
    "connect_timeout": 2.5,
    "read_timeout": 30,
    "verify": "false",
    "proxies": {"https": "http://user:sesame@proxy.invalid:3128"},
    "credential_source": "static",
    "security_token": SESSION.security_token,
}
"""A value for every extra field that goes with an AccessKey of the form. Plain HTTP does not use the proxy."""

EXTRA: dict[str, Any] = STATIC | {
    "role_name": "uploads",
    "disable_imds_v1": "true",
    "credentials_uri": "http://127.0.0.1:8080/credentials",
    "role_arn": "acs:ram::123456789012:role/uploads",
    "role_session_name": "airflow",
    "role_session_duration": 900,
    "role_policy": {"Version": "1", "Statement": []},
    "external_id": "agreed",
    "assume_role_source": "ecs_ram_role",
    "oidc_provider_arn": "acs:ram::123456789012:oidc-provider/ack",
    "oidc_token_file": "/var/run/secrets/token",
    "sts_endpoint": "sts-vpc.cn-hangzhou.aliyuncs.com",
}
"""A value for every extra field."""

PICTURES = {
    "verify": "connection-form-extra",
    "security_token": "connection-form-credentials",
    "sts_endpoint": "connection-form-role",
}
"""The field after which a picture is taken."""


def standard_values(server: OSSEmulator, **others: str) -> dict[str, str]:
    """Return what leads to the local OSS server, by label."""
    host, _, port = server.endpoint.rpartition(":")
    usual = {"Endpoint": host, "Port": port, "AccessKey ID": KEY_ID, "AccessKey secret": KEY_SECRET}
    return usual | {"Default bucket": BUCKET} | others


def stored_connection(server: OSSEmulator, **others: Any) -> dict[str, Any]:
    """Return what leads to the local OSS server, as Airflow's API names it."""
    host, _, port = server.endpoint.rpartition(":")
    usual = {"conn_type": "aliyun_oss", "login": KEY_ID, "password": KEY_SECRET, "host": host, "port": int(port)}
    return usual | {"schema": BUCKET, "extra": json.dumps({"region": REGION})} | others


def test_form_explains_itself(connections: ConnectionsPage) -> None:
    """Every field has our label, and a placeholder or help; what is secret is not readable while it is typed."""
    form = connections.add("oss_form")
    for label, placeholder in STANDARD.items():
        expect(form.standard(label)).to_have_attribute("placeholder", placeholder)
    expect(form.standard("AccessKey secret")).to_have_attribute("type", "password")
    for name, field in EXTRA_FIELDS.items():
        expect(form.extra_field(name)).to_be_visible()
        expect(form.dialog.get_by_text(field["label"], exact=True)).to_be_visible()
        expect(form.dialog.get_by_text(field["description"], exact=True)).to_be_visible()
        if kind_of(name) == "secret":
            expect(form.extra_field(name)).to_have_attribute("type", "password")


def test_button_tells_a_right_secret_from_a_wrong_one(
    connections: ConnectionsPage, server: OSSEmulator, take_picture: TakePicture
) -> None:
    """A connection made in the form works; with a wrong secret the button names the remedy, and nobody the secret."""
    form = connections.add("oss_default")
    form.fill_extra("region", REGION)
    form.fill_standard(standard_values(server))
    take_picture("connection-form", form.dialog)
    form.save()

    right = connections.test("oss_default")
    assert (right.title, right.message) == (
        "Test Connection Successful",
        f"OSS accepts the AccessKey for bucket {BUCKET}",
    )
    take_picture("connection-test-successful", right.box)

    form = connections.edit("oss_default")
    form.fill_standard({"AccessKey secret": "wr0ng-s3cret"})
    form.save()
    wrong = connections.test("oss_default")
    assert wrong.title == "Test Connection Failed"
    assert "check the connection's password (AccessKey secret)" in wrong.message
    assert "SignatureDoesNotMatch" in wrong.message
    assert "wr0ng-s3cret" not in connections.page.content()
    take_picture("connection-test-failed", wrong.box)


def test_every_field_arrives(connections: ConnectionsPage, airflow: LocalAirflow, take_picture: TakePicture) -> None:
    """What is typed into a field is stored, numbers as numbers and JSON as objects, and each value is one we allow."""
    assert set(EXTRA) == set(EXTRA_FIELDS)
    form = connections.add("oss_full")
    form.fill_standard({"Endpoint": "oss-cn-hangzhou.aliyuncs.com"})
    for name, value in EXTRA.items():
        form.fill_extra(name, value)
        if name in PICTURES:
            take_picture(PICTURES[name], form.dialog)
    form.save()

    stored = airflow.database.connection_extra("oss_full")
    assert stored == EXTRA
    checked = _checked_extra(Connection(conn_id="oss_full"), stored)
    assert (checked["verify"], checked["disable_imds_v1"]) == (False, True)


def test_fields_left_empty_have_their_defaults(connections: ConnectionsPage, server: OSSEmulator) -> None:
    """What was typed and taken back counts as not given: with what is needed the connection works."""
    form = connections.add("oss_least")
    for name in EXTRA_FIELDS:
        if kind_of(name) != "choice":
            form.extra_field(name).fill("1")
            form.extra_field(name).fill("")
    form.fill_extra("region", REGION)
    form.fill_standard(standard_values(server))
    form.save()
    assert connections.test("oss_least").title == "Test Connection Successful"


def test_secrets_survive_an_edit(connections: ConnectionsPage, server: OSSEmulator, airflow: LocalAirflow) -> None:
    """Saving the form with the secrets masked as the form shows them changes what was edited and nothing else."""
    extra = STATIC | {"verify": True}
    keys = {"login": SESSION.access_key_id, "password": SESSION.access_key_secret}
    airflow.add_connection("oss_edited", stored_connection(server, **keys, schema="", extra=json.dumps(extra)))
    form = connections.edit("oss_edited")
    expect(form.extra_field("security_token")).to_have_value("***")
    expect(form.extra_field("proxies")).to_have_value(re.compile(r"\*\*\*"))
    form.fill_standard({"Default bucket": BUCKET})
    form.save()

    assert airflow.database.connection_extra("oss_edited") == extra
    assert connections.test("oss_edited").message == f"OSS accepts the AccessKey for bucket {BUCKET}"


@pytest.mark.parametrize(
    ("conn_id", "fields", "remedy"),
    [
        ("key_id", {"login": "LTAInobody"}, "check the connection's login (AccessKey ID)"),
        ("bucket", {"schema": "absent-bucket"}, "check the bucket's name and the endpoint's region"),
        ("region", {"extra": '{"region": "cn-beijing"}'}, "set region in the connection's extra"),
        ("extra", {"extra": '{"regoin": "cn-hangzhou"}'}, "extra has unknown fields: regoin; known are region,"),
        ("no_secret", {"password": ""}, "password (AccessKey secret) is missing"),
        ("unreachable", {"port": 1}, "a worker may be in another network"),
    ],
)
def test_button_names_the_remedy(
    connections: ConnectionsPage,
    server: OSSEmulator,
    airflow: LocalAirflow,
    conn_id: str,
    fields: dict[str, Any],
    remedy: str,
) -> None:
    """What is wrong with a connection is said in the UI, with what to do about it."""
    airflow.add_connection(conn_id, stored_connection(server, **fields))
    found = connections.test(conn_id)
    assert found.title == "Test Connection Failed"
    assert remedy in found.message
    assert KEY_SECRET not in found.message
    assert not found.message.startswith("connection ")
