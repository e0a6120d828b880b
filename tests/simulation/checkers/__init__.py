"""One truth each. A checker is a function that is shown the world after every commit and at the end, and yields a
sentence for everything it finds wrong. Those that speak of the end look only once the world has settled."""

from tests.simulation.checkers import invariants

ALL = (invariants.check,)
