"""The types of requests and answers are those of the pinned model."""

from typing import get_type_hints

from batchyard.api import shapes
from batchyard.wire import model


def test_every_structure_has_its_members() -> None:
    for service in (model.batch(), model.logs()):
        for shape in model.shapes(service):
            if shape.type_name == "structure":
                assert set(get_type_hints(getattr(shapes, shape.name))) == set(shape.members)
