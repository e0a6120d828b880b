"""Pages of an array's children while children start and end."""

import pytest

from tests.engine.yard import Yard


def page(yard: Yard, array: str, status: str, limit: int, token: str) -> tuple[list[str], str]:
    assert yard.world.server is not None
    request = {"arrayJobId": array, "jobStatus": status, "maxResults": limit, **({"nextToken": token} if token else {})}
    answer = yard.world.server.read("ListJobs", request)
    return [job["jobId"] for job in answer["jobSummaryList"]], answer.get("nextToken", "")


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("status", ["RUNNABLE", "SUCCEEDED"])
def test_children_come_once_and_those_that_stood_are_not_missed(yard: Yard, status: str, limit: int) -> None:
    array = yard.submit(size=30)
    for _ in range(2):
        yard.finish(*yard.running())
    standing, _ = page(yard, array, status, 1000, "")
    assert len(standing) >= 10
    seen, token, turns = [], "", 0
    while True:
        found, token = page(yard, array, status, limit, token)
        assert len(found) <= limit
        seen += found
        if not token:
            break
        if (turns := turns + 1) <= 2:
            yard.finish(*yard.running())
    still, _ = page(yard, array, status, 1000, "")
    assert len(seen) == len(set(seen))
    assert set(standing) & set(still) - set(seen) == set()
    assert set(standing) != set(still), "nothing changed meanwhile"
