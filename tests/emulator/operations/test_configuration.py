"""What a bucket keeps and returns: tags and a policy; and whether it is there."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import oss2
import pytest
from oss2.models import Tagging, TaggingRule

from tests.emulator.support import Client

POLICY = {"Version": "1", "Statement": [{"Effect": "Deny", "Action": ["oss:*"], "Principal": ["1"], "Resource": ["*"]}]}


def tagging(**tags: str) -> Tagging:
    """Tags as oss2 has them."""
    rule = TaggingRule()
    for key, value in tags.items():
        rule.add(key, value)
    return Tagging(rule)


def test_tags(bucket: oss2.Bucket) -> None:
    """Tags are replaced as a whole, and removed by name or all."""
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {}
    bucket.put_bucket_tagging(tagging(old="1"))
    bucket.put_bucket_tagging(tagging(a="1", b="%@", c=""))
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {"a": "1", "b": "%@", "c": ""}
    bucket.delete_bucket_tagging(params={"tagging": "a,c"})
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {"b": "%@"}
    bucket.delete_bucket_tagging()
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {}
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidTag"):
        bucket.put_bucket_tagging(tagging(**{f"k{number}": "v" for number in range(21)}))


def test_buckets_with_a_tag(bucket_v1: oss2.Bucket) -> None:
    """The buckets that have a tag, or a value of it, can be listed."""
    service = oss2.Service(bucket_v1.auth, bucket_v1.endpoint, session=bucket_v1.session)
    other = oss2.Bucket(bucket_v1.auth, bucket_v1.endpoint, "other", session=bucket_v1.session)
    other.create_bucket()
    bucket_v1.put_bucket_tagging(tagging(team="one", use="a:b,c"))
    other.put_bucket_tagging(tagging(team="two", use="a:b,c"))
    for params, expected in (
        ({"tag-key": "team"}, ["exports", "other"]),
        ({"tag-key": "team", "tag-value": "two"}, ["other"]),
        ({"tag-key": "absent"}, []),
        ({"tagging": '"use":"a:b,c"'}, ["exports", "other"]),
        ({"tagging": '"team":"two","use":"a:b,c"'}, ["other"]),
        ({"tagging": '"team":"two","absent":""'}, []),
    ):
        assert [found.name for found in service.list_buckets(params=params).buckets] == expected


def test_a_list_of_tags(client: Client, bucket_v1: oss2.Bucket) -> None:
    """Buckets that a list of tags chose come with all their tags; what is no such list is refused."""
    bucket_v1.put_bucket_tagging(tagging(team="one", use="a"))
    account = Client(client.server, bucket="")
    answer = account.send("GET", "", {"tagging": '"team":"one"'})
    tags = ET.fromstring(answer.body).findall("Buckets/Bucket/Tagging/TagSet/Tag")  # noqa: S314 - our own server's XML
    assert {tag.findtext("Key"): tag.findtext("Value") for tag in tags} == {"team": "one", "use": "a"}
    assert b"TagSet" not in account.send("GET", "", {"tag-key": "team"}).body
    for bad in ({"tagging": "team"}, {"tagging": '"team":1'}, {"tagging": '"team":"one"', "tag-key": "team"}):
        assert account.send("GET", "", bad).code == "InvalidArgument"


def test_a_policy(bucket: oss2.Bucket, client: Client) -> None:
    """A policy comes back as it was given, and only JSON is one."""
    with pytest.raises(oss2.exceptions.NoSuchBucketPolicy):
        bucket.get_bucket_policy()
    bucket.put_bucket_policy(json.dumps(POLICY))
    assert bucket.get_bucket_policy().policy == json.dumps(POLICY)
    for bad in (b"", b"policy", b"[]"):
        answer = client.send("PUT", "", {"policy": ""}, body=bad)
        assert (answer.status, answer.code) == (400, "InvalidPolicyDocument")
    assert bucket.delete_bucket_policy().status == 204
    assert bucket.delete_bucket_policy().status == 204
    with pytest.raises(oss2.exceptions.NoSuchBucketPolicy):
        bucket.get_bucket_policy()


def test_whether_a_bucket_is_there(client: Client) -> None:
    """A HEAD of a bucket has no body: 200 when it is there, 404 when it is not."""
    there = client.send("HEAD", "")
    assert (there.status, there.body) == (200, b"")
    absent = Client(client.server, bucket="not-there").send("HEAD", "")
    assert (absent.status, absent.headers["x-oss-ec"]) == (404, "0015-00000101")
