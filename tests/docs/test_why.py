"""docs/why.md names every cause there is, and no other."""

import re

from batchyard.core.explanations import Cause
from tests.docs.repository import DOCS


def test_every_cause_is_explained() -> None:
    table = (DOCS / "why.md").read_text().partition("## The causes")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([A-Z_]+)`", "".join(rows))) == sorted(Cause)
