"""Refusals that many operations share: references, pages, tags."""

from batchyard.core.refusals.refusal import Refusal, bare, static


def operation_not_available(name: str) -> Refusal:
    """The operation is AWS's, and this yard does not carry it out yet. [chosen]"""
    return bare(f"{name} is not available in this Batchyard.")


def provided_name_not_supported(value: str) -> Refusal:
    """A reference of the wrong kind or with illegal characters; AWS leaves no space before the bracket. [seen]"""
    return bare(f"Provided name {value} is not supported pattern[a-zA-Z_0-9-]{{1,128}}")


def next_token_invalid() -> Refusal:
    """nextToken is not one of ours, or belongs to another question. [chosen]"""
    return bare("The specified nextToken is invalid.")


def max_results_too_small() -> Refusal:
    """maxResults below 1. [chosen]"""
    return static("maxResults must be at least 1.")


def too_many_names(member: str, limit: int) -> Refusal:
    """A describe call that names more than `limit` things; modelled on DescribeJobs, spaces included. [chosen]"""
    return static(f"Maximum number of {member} supported is  {limit} .")


def does_not_exist(arn: str) -> Refusal:
    """Update or delete of a queue or compute environment that is not there. [seen] for UpdateJobQueue"""
    return bare(f"{arn} does not exist")


def already_exists() -> Refusal:
    """Create with a name that is taken. [seen] as far as `already exists`"""
    return bare("Object already exists")


def being_modified() -> Refusal:
    """Delete of something that is being deleted or changed. [seen]"""
    return bare("Cannot delete, resource is being modified.")


def update_while_being_modified() -> Refusal:
    """Update of something that is being deleted or changed. [seen] as far as `is being modified`"""
    return bare("Cannot update, resource is being modified.")


def quota_reached(resources: str, limit: int) -> Refusal:
    """One more than the account may hold (F 2.4). [chosen]"""
    return bare(f"Account limit exceeded: at most {limit} {resources} are allowed.")


def too_many_tags() -> Refusal:
    """More than 50 tags on one resource. [seen] as far as `Member must have length ...`"""
    return static(
        "1 validation error detected: Value at 'tags' failed to satisfy constraint: "
        "Member must have length less than or equal to 50"
    )


def tag_key_invalid(key: str) -> Refusal:
    """A tag key that is empty or longer than 128 characters. [chosen]"""
    return static(f"Tag key '{key[:140]}' must have between 1 and 128 characters.")


def tag_value_too_long(key: str) -> Refusal:
    """A tag value longer than 256 characters. [chosen]"""
    return static(f"The value of tag '{key}' must have at most 256 characters.")


def tag_key_reserved(key: str) -> Refusal:
    """A tag key that starts with `aws:`, in any case. [chosen]"""
    return static(f"Tag key '{key}' is reserved: keys must not start with aws: in any combination of cases.")


def resource_not_taggable(arn: str) -> Refusal:
    """A tag call on an ARN that can carry no tags, such as that of an array child. [chosen]"""
    return bare(f"Resource {arn} does not support tagging.")


def resource_not_found(arn: str) -> Refusal:
    """A tag call on a resource that is not there. [chosen]"""
    return bare(f"Resource {arn} not found.")
