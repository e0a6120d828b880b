"""The one filter that a list of jobs may be given."""

from collections.abc import Mapping
from typing import Any

from batchyard.core import refusals


def one_filter(request: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and value of the request's filter, or None. Raises Refusal for several, and for values that are not one."""
    filters = request.get("filters") or []
    if not filters:
        return None
    if len(filters) > 1:
        raise refusals.one_filter_at_a_time()
    name, values = filters[0].get("name") or "", filters[0].get("values") or []
    if len(values) != 1 or not values[0]:
        raise refusals.filter_value_invalid(name)
    return name, values[0]


def millis(name: str, value: str) -> int:
    """The time in a filter of this name. Raises Refusal for what is no number."""
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise refusals.filter_value_invalid(name)
    return int(value)
