"""What the code has, the documentation describes; what the documentation names, exists."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from batchyard.core.jobs import JobStatus
from batchyard.core.lifecycle import PARENT_TRANSITIONS, TRANSITIONS
from batchyard.server.configuration import Configuration
from batchyard.wire import model
from tests.docs.repository import DOCS, PACKAGE, ROOT, files, name, pages

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
_ROOMS = "|".join(sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()))


def test_every_setting_has_a_heading() -> None:
    headings = set(re.findall(r"^### (\w+)$", (DOCS / "configuration.md").read_text(), re.MULTILINE))
    assert headings == set(Configuration.__dataclass_fields__)


def test_every_operation_has_a_row() -> None:
    rows = set(re.findall(r"^\| (\w+) \| `", (DOCS / "operations.md").read_text(), re.MULTILINE))
    assert rows == {*model.batch().operations, *model.logs().operations}


def test_every_status_and_event_is_explained() -> None:
    text = (DOCS / "states.md").read_text()
    missing = [status.value for status in JobStatus if status.value not in text]
    missing += [
        event.__name__ for event in {*TRANSITIONS, *PARENT_TRANSITIONS} if f"| `{event.__name__}` |" not in text
    ]
    assert missing == []


def test_every_variable_of_a_job_is_explained() -> None:
    text = (DOCS / "job-environment.md").read_text()
    makers = ("engine/launches.py", "supervisor/launching.py")
    used = {found for file in makers for found in re.findall(r'"([A-Z]+(?:_[A-Z]+)+|PATH|HOME)"', _source(file))}
    assert len(used) > 10
    assert [variable for variable in sorted(used) if f"`{variable}`" not in text] == []


def test_every_library_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    named = {re.split(r"[^\w-]", line)[0] for line in wanted}
    text = (DOCS / "decisions" / "0002-libraries.md").read_text()
    given = {word for line in re.findall(r"^\| ([\w, -]+) \|", text, re.MULTILINE) for word in line.split(", ")}
    assert named - given == set()
    assert given - named == {"Library", "---"}


def test_every_cited_fact_has_a_source() -> None:
    known = set(re.findall(r"^\| (\d+(?:\.\d+)?) \|", (DOCS / "sources.md").read_text(), re.MULTILINE))
    unknown_numbers = set(re.findall(r"^\| (\d+) \|", (DOCS / "unknowns.md").read_text(), re.MULTILINE))
    known |= {section.partition(".")[0] for section in known} | {f"14.{number}" for number in unknown_numbers}
    cited: dict[str, str] = {}
    for path in files(".py"):
        for citation in re.findall(r"\bF (\d[\d., to]*\d|\d)", path.read_text()):
            for number in re.findall(r"\d+(?:\.\d+)?", citation):
                cited[number] = name(path)
    assert len(cited) > 20
    assert {number: place for number, place in cited.items() if number not in known} == {}


def test_the_architecture_is_a_page_that_names_every_room() -> None:
    text = ARCHITECTURE.read_text()
    assert text.count("\n") < 200
    assert [room for room in _ROOMS.split("|") if f"| `{room}/` |" not in text] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_files_of_the_code_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(rf"`((?:{_ROOMS}|tests|tools|docs|benchmarks|examples)/[\w./-]+)`", page.read_text()))
    assert [path for path in sorted(named) if not (PACKAGE / path).exists() and not (ROOT / path).exists()] == []


def test_every_choice_points_at_the_code_that_makes_it() -> None:
    pointers = re.findall(r"\| `(\w+)` in `([\w/.]+)` \|$", (DOCS / "unknowns.md").read_text(), re.MULTILINE)
    assert len(pointers) > 30
    lost = [
        f"{what} in {file}"
        for what, file in pointers
        if not re.search(rf"^\s*(?:(?:async )?def|class) {what}\b|^{what}\b", _source(file), re.MULTILINE)
    ]
    assert lost == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"^ +- (?:[^:]+: )?([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {page.relative_to(DOCS).as_posix() for page in pages() if page.is_relative_to(DOCS)} - set(listed) == set()


def test_decisions_are_numbered_and_have_the_three_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for number, path in enumerate(decisions, 1):
        text = path.read_text()
        assert text.startswith(f"# {number}. "), path.name
        assert [part for part in ("**Problem.**", "**Choice.**", "**Refused.**") if part not in text] == [], path.name


def _source(file: str) -> str:
    return (PACKAGE / file).read_text()


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors that mkdocs and GitHub make of headings alike."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}
