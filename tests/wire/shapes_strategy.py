"""Values of any shape of a service model, for Hypothesis.

`valid` draws what the model allows, `complete` builds the one value that has every member: so a round trip over both
covers a new member or operation untold.
"""

import re
from typing import Any

from hypothesis import strategies as st

INTEGER_RANGES = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
ELEMENTS_MAX = 2

# Neither NUL nor half a surrogate pair can reach a process or a database, so neither is part of the protocol.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def valid(shape: Any) -> st.SearchStrategy[Any]:
    """Values of the shape: optional members present or not, text of any script, numbers to the ends of their range."""
    metadata = shape.metadata
    match shape.type_name:
        case "structure":
            members = {name: valid(member) for name, member in shape.members.items()}
            required = {name: members.pop(name) for name in list(members) if name in shape.required_members}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            return st.lists(valid(shape.member), min_size=metadata.get("min", 0), max_size=_size(metadata))
        case "map":
            low = metadata.get("min", 0)
            return st.dictionaries(valid(shape.key), valid(shape.value), min_size=low, max_size=_size(metadata))
        case "string":
            return _text(shape)
        case "integer" | "long":
            low, high = INTEGER_RANGES[shape.type_name]
            return st.integers(metadata.get("min", low), metadata.get("max", high))
        case "float" | "double":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
    raise AssertionError(f"{shape.name}: {shape.type_name}")


def complete(shape: Any) -> Any:
    """The value that has every member, two elements in every list and one entry in every map."""
    metadata = shape.metadata
    match shape.type_name:
        case "structure":
            return {name: complete(member) for name, member in shape.members.items()}
        case "list":
            return [complete(shape.member) for _ in range(2)]
        case "map":
            keys = [complete(shape.key) + "i" * extra for extra in range(metadata.get("min", 1))]
            return {key: complete(shape.value) for key in keys}
        case "string":
            return shape.enum[-1] if shape.enum else "0" * max(1, metadata.get("min", 1))
        case "integer" | "long":
            return metadata.get("max", INTEGER_RANGES[shape.type_name][1])
        case "float" | "double":
            return 0.1
        case "boolean":
            return False
    raise AssertionError(f"{shape.name}: {shape.type_name}")


def _size(metadata: Any) -> int:
    low: int = metadata.get("min", 0)
    high: int = metadata.get("max", ELEMENTS_MAX)
    return max(low, min(high, ELEMENTS_MAX))


def _text(shape: Any) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    # A path label must not be empty, or another operation is meant.
    low = shape.metadata.get("min", int(shape.serialization.get("location") == "uri"))
    high = min(shape.metadata.get("max", 20), max(low, 20))
    pattern = shape.metadata.get("pattern")
    if pattern is None or r"\p{" in pattern:
        return st.text(_CHARACTERS, min_size=low, max_size=high)
    drawn = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=_CHARACTERS)
    return drawn.filter(lambda text: low <= len(text) <= shape.metadata.get("max", len(text)))
