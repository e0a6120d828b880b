"""What names may look like (F 2.1)."""

import re

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LOG_GROUP_NAME = re.compile(r"[A-Za-z0-9._/#-]{1,512}")
_SHARE_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,255}")


def is_job_name(name: str) -> bool:
    """Job names and job queue names: up to 128 letters, digits, `-` and `_`, the first a letter or digit."""
    return _JOB_NAME.fullmatch(name) is not None


def is_resource_name(name: str) -> bool:
    """Names of job definitions, compute environments and the rest: the same letters, in any order."""
    return _RESOURCE_NAME.fullmatch(name) is not None


def is_share_identifier(identifier: str) -> bool:
    """Up to 255 letters, digits, `-` and `_`, as measured; the model says alphanumeric."""
    return _SHARE_IDENTIFIER.fullmatch(identifier) is not None


def is_log_group_name(name: str) -> bool:
    """Up to 512 letters, digits, `.`, `-`, `_`, `/` and `#` (API Reference of CloudWatch Logs, CreateLogGroup)."""
    return _LOG_GROUP_NAME.fullmatch(name) is not None
