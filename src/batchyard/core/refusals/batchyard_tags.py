"""Refusals of tags that Batchyard reads. The sentences are ours: on AWS every one of these tags is accepted."""

from collections.abc import Sequence

from batchyard.core.refusals.refusal import Refusal, bare


def batchyard_tag_unknown(key: str, kind: str, known: Sequence[str]) -> Refusal:
    """A tag in our namespace that this kind of resource cannot bear. [ours]"""
    valid = f"those of a {kind} are {', '.join(known)}" if known else f"a {kind} can have none that begins so"
    return bare(f"Tag {key[:140]} is none that Batchyard knows here: {valid}.")


def batchyard_tag_invalid(key: str, value: str, wanted: str) -> Refusal:
    """One of our tags with a value that means nothing. [ours]"""
    return bare(f"Tag {key} must be {wanted}, not '{value}'.")


def batchyard_tag_needs(key: str, what: str) -> Refusal:
    """One of our tags where it could have no effect. [ours]"""
    return bare(f"Tag {key} needs {what}.")


def batchyard_tag_fixed(key: str) -> Refusal:
    """A change of a tag that counts at submission alone. [ours]"""
    return bare(f"Tag {key} counts when a job is submitted and cannot be changed later.")
