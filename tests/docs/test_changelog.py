"""The changelog keeps its form, and knows the version that the package says it is."""

import re

from batchyard import __version__
from tests.docs.repository import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_versions_stand_newest_first_under_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    numbers = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\](?: - \d{4}-\d{2}-\d{2})?", heading) for heading in headings[1:]]
    assert None not in numbers
    versions = [tuple(map(int, number.groups())) for number in numbers if number]
    assert versions == sorted(set(versions), reverse=True)
    assert __version__ == ".".join(map(str, versions[0]))


def test_entries_stand_under_the_known_kinds() -> None:
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds))
        first_entry, first_kind = section.find("\n- "), section.find("\n### ")
        assert first_entry == -1 or 0 <= first_kind < first_entry
