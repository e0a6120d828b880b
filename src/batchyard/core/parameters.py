"""Values put into commands: `Ref::name` by AWS Batch (F 6.1), `$(NAME)` by Kubernetes.

An element that is nothing but `Ref::name` becomes the value, as one argument and whatever characters the name has.
Inside a longer element (`--out=Ref::dir`) the name is the longest run of letters, digits, `_` and `-`. Values are not
looked at again. There is no escape. In the command of a pod `$(NAME)` is a variable of its container, `$$` escapes, and
a name without a variable stays as it is (Kubernetes, Define a Command and Arguments for a Container).
"""

import re
from collections.abc import Mapping, Sequence

from batchyard.core import refusals

_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_VARIABLE = re.compile(r"\$\$|\$\(([^()\s]+)\)")


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    """The command with every `Ref::name` replaced. Raises Refusal for a name without a value."""
    return [_substitute(element, parameters) if "Ref::" in element else element for element in command]


def _substitute(element: str, parameters: Mapping[str, str]) -> str:
    if element.startswith("Ref::") and (value := parameters.get(element[5:])) is not None:
        return value

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in parameters:
            raise refusals.no_parameter_for(name)
        return parameters[name]

    return _PLACEHOLDER.sub(value_of, element)


def expand(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """A pod's command with its variables put in."""

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else environment.get(name, match[0])

    return [_VARIABLE.sub(value_of, element) for element in command]
