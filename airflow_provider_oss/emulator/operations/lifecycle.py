"""Lifecycle rules of a bucket that end its forgotten uploads; rules that do anything else are refused with 501."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.errors import OSSError, invalid_argument, not_implemented
from airflow_provider_oss.emulator.operations.multipart import end_upload
from airflow_provider_oss.emulator.state.records import AbortRule
from airflow_provider_oss.emulator.wire.dates import parse_xml_date
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add, document, parse, text_of

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.wire.xml import Element

_CONFIGURATION: Final = "LifecycleConfiguration"
_ABORT: Final = "AbortMultipartUpload"
_OF_A_RULE: Final = frozenset({"ID", "Prefix", "Status", _ABORT})
_STATES: Final = {"Enabled": True, "Disabled": False}
_DAY_SECONDS: Final = 86_400


async def put_bucket_lifecycle(call: Call) -> Response:
    """Replace the bucket's rules."""
    root = parse(await call.body.document(call.limits.max_document_bytes), _CONFIGURATION)
    rules = tuple(_read_rule(element) for element in root.iterfind("Rule"))
    if not rules:
        raise OSSError("MalformedXML")
    call.store.put_bucket(replace(call.require_bucket(), abort_rules=rules))
    return Response()


async def get_bucket_lifecycle(call: Call) -> Response:
    """Answer the bucket's rules."""
    bucket = call.require_bucket()
    if not bucket.abort_rules:
        raise OSSError("NoSuchLifecycle", extra={"BucketName": bucket.name})
    root = document(_CONFIGURATION)
    for rule in bucket.abort_rules:
        element = SubElement(root, "Rule")
        add(element, ID=rule.rule_id, Prefix=rule.prefix, Status="Enabled" if rule.is_enabled else "Disabled")
        add(SubElement(element, _ABORT), Days=rule.days or None, CreatedBeforeDate=rule.created_before or None)
    return xml_response(root)


async def delete_bucket_lifecycle(call: Call) -> Response:
    """Forget the rules; a bucket without any is 204 as well."""
    call.store.put_bucket(replace(call.require_bucket(), abort_rules=()))
    return Response(204)


async def abort_expired_uploads(call: Call) -> None:
    """
    End the uploads whose time is over by the rules of the bucket and the server's clock.

    OSS does so once a day; here it has happened by the time that anybody asks.
    """
    bucket = call.store.bucket(call.target.bucket)
    if bucket is None or not bucket.abort_rules:
        return
    for key, upload_id in list(call.store.uploads(bucket.name)):
        upload = call.store.upload(bucket.name, key, upload_id)
        if upload is not None and is_over(bucket.abort_rules, key, upload.record.initiated_at, call.now()):
            await end_upload(call.store, upload)


def is_over(rules: tuple[AbortRule, ...], key: str, initiated_at: float, now: float) -> bool:
    """Whether a rule ends an upload of the key that began at that time. Pure."""
    return any(_ends(rule, initiated_at, now) for rule in rules if rule.is_enabled and key.startswith(rule.prefix))


def _ends(rule: AbortRule, initiated_at: float, now: float) -> bool:
    if rule.days:
        return now >= initiated_at + rule.days * _DAY_SECONDS
    return initiated_at < parse_xml_date(rule.created_before)


def _read_rule(element: Element) -> AbortRule:
    lacking = sorted({child.tag for child in element} - _OF_A_RULE)
    if lacking:
        raise not_implemented(f"{', '.join(lacking)} in a lifecycle rule")
    abort, status = element.find(_ABORT), text_of(element, "Status")
    if abort is None or status not in _STATES:
        raise OSSError("MalformedXML")
    days, date = text_of(abort, "Days") or "", text_of(abort, "CreatedBeforeDate") or ""
    if bool(days) == bool(date):
        raise OSSError("MalformedXML")
    if days and not (days.isascii() and days.isdigit() and int(days)):
        raise invalid_argument("Days", days, "Days must be a positive number.")
    if date:
        _check_date(date)
    rule_id = text_of(element, "ID") or secrets.token_hex(16)
    return AbortRule(rule_id, text_of(element, "Prefix") or "", _STATES[status], int(days or 0), date)


def _check_date(text: str) -> None:
    """Raise OSSError 400 for what is no midnight of UTC."""
    try:
        is_midnight = parse_xml_date(text) % _DAY_SECONDS == 0
    except ValueError:
        is_midnight = False
    if not is_midnight:
        raise invalid_argument("CreatedBeforeDate", text, "A date must be a midnight of UTC, in ISO 8601.")
