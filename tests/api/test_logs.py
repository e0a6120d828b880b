"""The read side of CloudWatch Logs over what attempts wrote."""

from typing import Any

import pytest

from batchyard.core.ids import Millis
from tests.api.conftest import Yard

GROUP = "/aws/batch/job"


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def get(yard: Yard, stream: str, **members: Any) -> dict[str, Any]:
    return yard.call("logs.GetLogEvents", logGroupName=GROUP, logStreamName=stream, **members)


def filtered(yard: Yard, **members: Any) -> list[str]:
    """Every message that FilterLogEvents shows, page by page."""
    found: list[str] = []
    token = None
    while True:
        request = members if token is None else {**members, "nextToken": token}
        page = yard.call("logs.FilterLogEvents", {"logGroupName": GROUP, **request})
        found += messages(page)
        if (token := page.get("nextToken")) is None:
            return found


def numbered(count: int) -> list[tuple[int, str]]:
    return [(number, f"line {number}") for number in range(count)]


def test_get_forward_to_the_end(yard: Yard) -> None:
    stream = yard.attempt(1, *numbered(5))
    page = get(yard, stream, startFromHead=True, limit=2)
    assert page["events"][0] == {
        "timestamp": yard.now,
        "message": "line 0",
        "ingestionTime": yard.now,
    }
    seen = messages(page)
    while True:
        token = page["nextForwardToken"]
        page = get(yard, stream, startFromHead=True, limit=2, nextToken=token)
        if page["nextForwardToken"] == token:
            break
        seen += messages(page)
    assert page["events"] == []
    assert seen == [f"line {number}" for number in range(5)]
    assert page["nextBackwardToken"].startswith("b/")


def test_get_backward_to_the_beginning(yard: Yard) -> None:
    stream = yard.attempt(1, *numbered(5))
    page = get(yard, stream, limit=2)
    assert messages(page) == ["line 3", "line 4"], "the newest page, oldest first within it"
    page = get(yard, stream, limit=2, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["line 1", "line 2"]
    page = get(yard, stream, limit=2, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["line 0"]
    token = page["nextBackwardToken"]
    page = get(yard, stream, limit=2, nextToken=token)
    assert (page["events"], page["nextBackwardToken"]) == ([], token)


def test_get_between_times(yard: Yard) -> None:
    stream = yard.attempt(1, *numbered(5))
    page = get(yard, stream, startTime=yard.now + 1, endTime=yard.now + 3, startFromHead=True)
    assert messages(page) == ["line 1", "line 2"], "startTime is inclusive, endTime is not"


def test_a_token_at_the_end_of_a_running_stream_stays_good(yard: Yard) -> None:
    stream = yard.attempt(1, (0, "first"), stopped_at=None)
    token = get(yard, stream, startFromHead=True)["nextForwardToken"]
    assert get(yard, stream, startFromHead=True, nextToken=token)["nextForwardToken"] == token
    (file,) = yard.settings.logs.rglob("*.log")
    with file.open("ab") as log:
        log.write(b"second\n")
    assert messages(get(yard, stream, startFromHead=True, nextToken=token)) == ["second"]


def test_an_attempt_that_wrote_nothing_has_an_empty_stream(yard: Yard) -> None:
    stream = yard.attempt(1)
    page = get(yard, stream)
    assert page == {"events": [], "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}


def test_what_does_not_exist(yard: Yard) -> None:
    refused = yard.refusal("logs.GetLogEvents", logGroupName=GROUP, logStreamName="nothing")
    assert (refused.code, refused.text) == ("ResourceNotFoundException", "The specified log stream does not exist.")
    refused = yard.refusal("logs.GetLogEvents", logGroupName="nothing", logStreamName="nothing")
    assert (refused.code, refused.text) == ("ResourceNotFoundException", "The specified log group does not exist.")
    stream = yard.attempt(1, (0, "x"), started_at=None)
    assert yard.refusal("logs.GetLogEvents", logGroupName=GROUP, logStreamName=stream).code == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    "members",
    [
        {"limit": 0},
        {"limit": 10_001},
        {"nextToken": "f/x"},
        {"nextToken": "f/1\n"},
        {"logGroupIdentifier": GROUP},
    ],
)
def test_parameters_out_of_bounds(yard: Yard, members: dict[str, Any]) -> None:
    stream = yard.attempt(1, (0, "x"))
    refused = yard.refusal("logs.GetLogEvents", **{"logGroupName": GROUP, "logStreamName": stream, **members})
    assert refused.code == "InvalidParameterException"


def test_groups_by_arn(yard: Yard) -> None:
    stream = yard.attempt(1, (0, "x"))
    for arn in (f"arn:aws:logs:us-east-1:1:log-group:{GROUP}", f"arn:aws:logs:us-east-1:1:log-group:{GROUP}:*"):
        assert messages(yard.call("logs.GetLogEvents", logGroupIdentifier=arn, logStreamName=stream)) == ["x"]


# --------------------------------------------------------------------------------------------------------------- filter


def test_filter_merges_streams_by_time(yard: Yard) -> None:
    yard.attempt(1, (0, "a0"), (20, "a20"), (40, "a40"))
    yard.attempt(2, (10, "b10"), (30, "b30"))
    yard.attempt(3, (25, "c25"))
    yard.attempt(4)
    expected = ["a0", "b10", "a20", "c25", "b30", "a40"]
    assert filtered(yard) == expected
    for limit in (1, 2, 5, 6):
        assert filtered(yard, limit=limit) == expected
    assert filtered(yard, startTime=yard.now + 20, endTime=yard.now + 40, limit=1) == ["a20", "c25", "b30"]


def test_filter_keeps_events_of_one_moment_apart(yard: Yard) -> None:
    for number in (1, 2, 3):
        yard.attempt(number, *[(0, f"{number}.{line}") for line in range(3)])
    expected = [f"{number}.{line}" for number in (1, 2, 3) for line in range(3)]
    assert filtered(yard, limit=2) == expected


def test_filter_events_look_like_cloudwatch(yard: Yard) -> None:
    stream = yard.attempt(1, (0, "a"), (0, "b"))
    page = yard.call("logs.FilterLogEvents", logGroupName=GROUP)
    first, second = page["events"]
    assert len(first.pop("eventId")) == 56
    assert first == {"logStreamName": stream, "timestamp": yard.now, "message": "a", "ingestionTime": yard.now}
    assert second["eventId"] != page["events"][0].get("eventId")
    assert "nextToken" not in page


def test_filter_by_stream(yard: Yard) -> None:
    one = yard.attempt(1, (0, "one"), stream="p/default/1")
    yard.attempt(2, (0, "two"), stream="p/default/2")
    yard.attempt(3, (0, "three"), stream="q/default/3")
    assert filtered(yard, logStreamNames=[one]) == ["one"]
    assert filtered(yard, logStreamNamePrefix="p/") == ["one", "two"]
    for members, code in (
        ({"logStreamNames": ["nothing"]}, "ResourceNotFoundException"),
        ({"logStreamNames": [one], "logStreamNamePrefix": "p"}, "InvalidParameterException"),
    ):
        assert yard.refusal("logs.FilterLogEvents", logGroupName=GROUP, **members).code == code


def test_filter_goes_on_past_many_streams_without_a_match(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.api.logs.filter_log_events._STREAMS_PER_PAGE", 3)
    monkeypatch.setattr("batchyard.api.logs.filter_log_events._STREAMS_READ_AT_ONCE", 2)
    for number in range(10):
        yard.attempt(
            number, *([(number * 10, "needle")] if number == 8 else []), started_at=Millis(yard.now + number * 10)
        )
    page = yard.call("logs.FilterLogEvents", logGroupName=GROUP, filterPattern="needle")
    assert (page["events"], "nextToken" in page) == ([], True)
    assert filtered(yard, filterPattern="needle") == ["needle"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["ERROR one", "ERROR two retrying", "WARN two", 'a "b" c']),
        ("ERROR", ["ERROR one", "ERROR two retrying"]),
        ("ERROR two", ["ERROR two retrying"]),
        ("ERROR -retrying", ["ERROR one"]),
        ("?one ?WARN", ["ERROR one", "WARN two"]),
        ('"ERROR one"', ["ERROR one"]),
        ('-"ERROR one" two', ["ERROR two retrying", "WARN two"]),
        ('"\\"b\\""', ['a "b" c']),
        ("error", []),
    ],
)
def test_filter_patterns(yard: Yard, pattern: str, expected: list[str]) -> None:
    yard.attempt(1, (0, "ERROR one"), (1, "ERROR two retrying"), (2, "WARN two"), (3, 'a "b" c'))
    assert filtered(yard, filterPattern=pattern) == expected


@pytest.mark.parametrize("pattern", ["{ $.x = 1 }", "[a, b]", "%x%", '"open'])
def test_filter_patterns_of_other_kinds_are_refused(yard: Yard, pattern: str) -> None:
    refused = yard.refusal("logs.FilterLogEvents", logGroupName=GROUP, filterPattern=pattern)
    assert refused.code == "InvalidParameterException"


# ------------------------------------------------------------------------------------------------------ streams, groups


def streams(yard: Yard, **members: Any) -> list[str]:
    found: list[str] = []
    token: str | None = ""
    while token is not None:
        page = yard.call("logs.DescribeLogStreams", {"logGroupName": GROUP, "limit": 2, "nextToken": token, **members})
        found += [stream["logStreamName"] for stream in page["logStreams"]]
        token = page.get("nextToken")
    return found


def test_streams_in_either_order(yard: Yard) -> None:
    for number, (name, last) in enumerate((("b/1", 30), ("a/2", 10), ("b/3", 20), ("a/1", 20), ("c", 40))):
        yard.attempt(number, (0, "x"), (last, "y"), stream=name)
    by_name = ["a/1", "a/2", "b/1", "b/3", "c"]
    by_time = ["a/2", "a/1", "b/3", "b/1", "c"]
    assert streams(yard) == by_name
    assert streams(yard, descending=True) == by_name[::-1]
    assert streams(yard, logStreamNamePrefix="b/") == ["b/1", "b/3"]
    assert streams(yard, logStreamNamePrefix="b/", descending=True) == ["b/3", "b/1"]
    assert streams(yard, orderBy="LastEventTime") == by_time
    assert streams(yard, orderBy="LastEventTime", descending=True) == by_time[::-1]
    refused = yard.refusal(
        "logs.DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="b"
    )
    assert refused.text == "Cannot order by LastEventTime with a logStreamNamePrefix."


def test_a_stream_in_detail(yard: Yard) -> None:
    name = yard.attempt(1, (0, "x"), (9, "y"))
    (stream,) = yard.call("logs.DescribeLogStreams", logGroupName=GROUP)["logStreams"]
    assert stream == {
        "logStreamName": name,
        "creationTime": yard.now,
        "arn": f"arn:aws:logs:eu-central-1:123456789012:log-group:{GROUP}:log-stream:{name}",
        "firstEventTimestamp": yard.now,
        "lastEventTimestamp": yard.now + 9,
        "lastIngestionTime": yard.now + 9,
        "storedBytes": 4,
    }


def groups(yard: Yard, **members: Any) -> list[str]:
    return [group["logGroupName"] for group in yard.call("logs.DescribeLogGroups", **members)["logGroups"]]


def test_groups(yard: Yard) -> None:
    assert groups(yard) == [GROUP], "the default group is always there"
    yard.call("logs.CreateLogGroup", logGroupName="red")
    yard.call("logs.CreateLogGroup", logGroupName="Blue")
    assert groups(yard) == [GROUP, "Blue", "red"], "by ASCII"
    assert groups(yard, logGroupNamePrefix="r") == ["red"]
    assert groups(yard, logGroupNamePattern="lu") == ["Blue"]
    token = yard.call("logs.DescribeLogGroups", limit=2)["nextToken"]
    assert groups(yard, limit=2, nextToken=token) == ["red"]
    for taken in ("red", GROUP):
        refused = yard.refusal("logs.CreateLogGroup", logGroupName=taken)
        assert refused.code == "ResourceAlreadyExistsException"
    assert yard.refusal("logs.CreateLogGroup", logGroupName="a b").code == "InvalidParameterException"


def test_a_group_in_detail(yard: Yard) -> None:
    yard.call("logs.CreateLogGroup", logGroupName="red")
    (group,) = yard.call("logs.DescribeLogGroups", logGroupNamePrefix="red")["logGroups"]
    assert group["creationTime"] == yard.now
    assert group["arn"] == "arn:aws:logs:eu-central-1:123456789012:log-group:red:*"


@pytest.mark.parametrize("group", [GROUP, "red"])
def test_deleting_a_group_hides_its_streams_for_good(yard: Yard, group: str) -> None:
    if group != GROUP:
        yard.call("logs.CreateLogGroup", logGroupName=group)
    stream = yard.attempt(1, (0, "x"), group=group)
    yard.now = Millis(yard.now + 1)
    yard.call("logs.DeleteLogGroup", logGroupName=group)
    if group != GROUP:
        assert yard.refusal("logs.DeleteLogGroup", logGroupName=group).code == "ResourceNotFoundException"
        yard.call("logs.CreateLogGroup", logGroupName=group)
    refused = yard.refusal("logs.GetLogEvents", logGroupName=group, logStreamName=stream)
    assert refused.text == "The specified log stream does not exist."
    later = yard.attempt(2, (0, "y"), group=group)
    assert messages(yard.call("logs.GetLogEvents", logGroupName=group, logStreamName=later)) == ["y"]


@pytest.mark.parametrize("operation", ["logs.PutLogEvents", "logs.CreateLogStream", "logs.PutRetentionPolicy"])
def test_what_this_yard_does_not_do(yard: Yard, operation: str) -> None:
    refused = yard.refusal(operation)
    assert refused.code == "InvalidParameterException"
    assert f"{operation[5:]} is not available in this Batchyard" in refused.text
