"""Tags: one store, seen by describe calls and by ListTagsForResource."""

import pytest

from tests.api.conftest import Yard


def test_one_store_two_views(yard: Yard) -> None:
    arn = yard.environment(tags={"a": "1"})
    yard.call("TagResource", resourceArn=arn, tags={"a": "2", "b": "3"})
    assert yard.call("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "2", "b": "3"}}
    (detail,) = yard.call("DescribeComputeEnvironments")["computeEnvironments"]
    assert detail["tags"] == {"a": "2", "b": "3"}
    yard.call("UntagResource", resourceArn=arn, tagKeys=["a", "nothing"])
    assert yard.call("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "3"}}


def test_revisions_have_tags_of_their_own(yard: Yard) -> None:
    first, second = yard.definition(tags={"a": "1"}), yard.definition()
    assert yard.call("ListTagsForResource", resourceArn=first) == {"tags": {"a": "1"}}
    assert yard.call("ListTagsForResource", resourceArn=second) == {"tags": {}}


def test_jobs_can_be_tagged_and_their_children_cannot(yard: Yard) -> None:
    yard.environment()
    yard.queue()
    yard.definition()
    request = {"jobName": "j", "jobQueue": "default", "jobDefinition": "sleep", "tags": {"a": "1"}}
    arn = yard.call("SubmitJob", **request, arrayProperties={"size": 2})["jobArn"]
    assert yard.call("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "1"}}
    for child in (f"{arn}:0", f"{arn}#0"):
        assert yard.refusal("TagResource", resourceArn=child, tags={"a": "1"}).text == (
            f"Resource {child} does not support tagging."
        )


@pytest.mark.parametrize(
    "tail", ["job-queue/nothing", "job/00000000-0000-0000-0000-000000000000", "job-definition/nothing:1", "other/x"]
)
def test_resources_that_are_not_there(yard: Yard, tail: str) -> None:
    arn = f"arn:aws:batch:eu-central-1:123456789012:{tail}"
    assert yard.refusal("ListTagsForResource", resourceArn=arn).text == f"Resource {arn} not found."


@pytest.mark.parametrize("arn", ["default", "arn:aws:s3:::bucket", ""])
def test_what_is_no_batch_arn(yard: Yard, arn: str) -> None:
    assert yard.refusal("ListTagsForResource", resourceArn=arn).text.endswith("does not support tagging.")


def test_bounds(yard: Yard) -> None:
    arn = yard.environment(tags={f"k{number}": "" for number in range(49)})
    yard.call("TagResource", resourceArn=arn, tags={"k0": "again", "k49": "v" * 256})
    for tags, text in (
        ({"one": "more"}, "Member must have length less than or equal to 50"),
        ({"AWS:x": "1"}, "aws:"),
        ({"": "1"}, "between 1 and 128"),
        ({"k" * 129: "1"}, "between 1 and 128"),
        ({"k0": "v" * 257}, "at most 256"),
    ):
        assert text in yard.refusal("TagResource", resourceArn=arn, tags=tags).text
    assert len(yard.call("ListTagsForResource", resourceArn=arn)["tags"]) == 50
