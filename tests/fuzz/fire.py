"""Hypothesis over one operation of a server."""

from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from batchyard.wire.model import Operation
from tests.fuzz.strategies import Sent, requests
from tests.fuzz.target import Target

SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def fire(target: Target, operation: Operation, examples: int) -> Counter[int]:
    """Send so many requests; how often each status was answered. Raises what was wrong, with the smallest request
    that shows it."""
    statuses: Counter[int] = Counter()

    # Nothing is remembered between runs: the server's rows are others next time. The server has a state, so that a
    # request may fail once and not again; Hypothesis then calls the test flaky and still shows the request.
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=SUPPRESSED,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(requests(operation, target.texts))
    def one(sent: Sent) -> None:
        statuses[target.check(sent)] += 1

    one()
    return statuses
