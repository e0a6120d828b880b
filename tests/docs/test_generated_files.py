"""Files that are made from the code are what the code makes now."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.repository import ROOT

GENERATE = ROOT / "tools" / "generate.py"


def test_generated_files_are_current() -> None:
    finished = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_stale_file_is_named_with_the_command_that_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = importlib.util.spec_from_file_location("generate", GENERATE)
    assert specification is not None
    assert specification.loader is not None
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    current, old, missing = tmp_path / "current", tmp_path / "old", tmp_path / "folder" / "missing"
    current.write_text("same")
    old.write_text("before")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "files", lambda: {current: "same", old: "after", missing: "new"})
    assert generate.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert said == "old is not current: run `make generate`\nfolder/missing is not current: run `make generate`\n"
    assert generate.main([]) == 0
    assert (old.read_text(), missing.read_text()) == ("after", "new")
    assert generate.main(["--check"]) == 0
