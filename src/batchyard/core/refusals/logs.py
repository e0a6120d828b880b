"""Refusals of CloudWatch Logs: its own codes, always bare (F 10.3)."""

from batchyard.core.refusals.refusal import Refusal


def log_stream_not_found() -> Refusal:
    """GetLogEvents of an unknown stream. [seen] in common output"""
    return Refusal("The specified log stream does not exist.", code="ResourceNotFoundException")


def log_group_not_found() -> Refusal:
    """Any call on an unknown group. [seen] in common output"""
    return Refusal("The specified log group does not exist.", code="ResourceNotFoundException")


def log_group_exists() -> Refusal:
    """CreateLogGroup with a name that is taken. [seen] in common output"""
    return Refusal("The specified log group already exists", code="ResourceAlreadyExistsException")


def log_parameter_invalid(text: str) -> Refusal:
    """A member out of range, a token of another question, members that exclude each other. [chosen]"""
    return Refusal(text, code="InvalidParameterException")


def log_next_token_invalid() -> Refusal:
    """nextToken is not one of ours, or belongs to another question. [seen] in common output"""
    return log_parameter_invalid("The specified nextToken is invalid.")


def log_operation_not_available(name: str) -> Refusal:
    """The operation is AWS's, and this yard does not carry it out. [chosen]"""
    return log_parameter_invalid(f"{name} is not available in this Batchyard.")


def log_streams_are_written_by_jobs(name: str) -> Refusal:
    """CreateLogStream and PutLogEvents: streams here are what jobs wrote and nothing else. [chosen]"""
    return log_parameter_invalid(f"{name} is not available in this Batchyard: log streams are written by jobs alone.")


def filter_pattern_invalid() -> Refusal:
    """A filterPattern that cannot be read, such as one with a single quotation mark. [chosen]"""
    return log_parameter_invalid("Invalid filter pattern")


def filter_pattern_not_available() -> Refusal:
    """A filterPattern of a kind that this yard does not carry out. [chosen]"""
    return log_parameter_invalid(
        "Filter patterns for JSON, for space-delimited columns and with regular expressions are not available "
        "in this Batchyard. Use terms, such as: ERROR -retrying"
    )
