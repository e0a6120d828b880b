"""Options of the awslogs log driver that say where a log event begins (F 10.2)."""

import re
from collections.abc import Mapping

from batchyard.core import refusals

DATETIME_FORMAT = "awslogs-datetime-format"
MULTILINE_PATTERN = "awslogs-multiline-pattern"

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_CODES = {
    "a": f"(?:{'|'.join(day[:3] for day in _DAYS)})",
    "A": f"(?:{'|'.join(_DAYS)})",
    "b": f"(?:{'|'.join(month[:3] for month in _MONTHS)})",
    "B": f"(?:{'|'.join(_MONTHS)})",
    "d": "(?:0?[1-9]|[12][0-9]|3[01])",
    "f": "[0-9]{1,6}",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[1-9]|1[0-2])",
    "j": "[0-3][0-9]{2}",
    "L": r"\.?[0-9]{3}",
    "m": "(?:0[1-9]|1[0-2])",
    "M": "[0-5][0-9]",
    "p": "[AaPp][Mm]",
    "S": "(?:[0-5][0-9]|60)",
    "w": "[0-6]",
    "y": "[0-9]{2}",
    "Y": "[0-9]{4}",
    "z": "[+-][0-9]{2}:?[0-9]{2}",
    "Z": "[A-Z]{1,5}",
    "%": "%",
}
_CODE = re.compile("%(.?)", re.DOTALL)


def log_event_start(options: Mapping[str, str]) -> str | None:
    """The pattern, in RE2's syntax, of what the first line of an event holds; None where every line is an event.

    A datetime format wins over a pattern. What is no code in it is itself a pattern, as with the log driver of Docker.
    Raises Refusal for a code that does not exist.
    """
    if not (given := options.get(DATETIME_FORMAT)):
        return options.get(MULTILINE_PATTERN) or None

    def translated(code: re.Match[str]) -> str:
        if (pattern := _CODES.get(code[1])) is None:
            raise refusals.log_option_invalid(DATETIME_FORMAT, given)
        return pattern

    return _CODE.sub(translated, given)
