"""The types of requests and answers are those of the pinned model."""

import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

from batchyard.api import shapes
from batchyard.wire import model

GENERATOR = Path(__file__).parents[2] / "tools" / "generate_shapes.py"


def test_the_generated_file_is_current() -> None:
    finished = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_every_structure_has_its_members() -> None:
    for service in (model.batch(), model.logs()):
        for shape in model.shapes(service):
            if shape.type_name == "structure":
                assert set(get_type_hints(getattr(shapes, shape.name))) == set(shape.members)
