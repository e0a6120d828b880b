"""What is read of a CreateTrainingJob request, and where its URIs lead."""

import pytest

from batchyard.core.ids import AttemptId, Millis
from batchyard.core.training import TrainingSite, decoded, log_stream, read_training_request, training_job_name

ATTEMPT = AttemptId("0123456789abcdef" * 2)
SITE = TrainingSite("/data/training", {"s3://bucket": "/srv/bucket/", "s3://bucket/deep": "/deep"})


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c", "/a/b c"),
        ("file://host/a", None),
        ("file:a", None),
        ("s3://bucket", "/srv/bucket"),
        ("s3://bucket/x//y/", "/srv/bucket/x/y"),
        ("s3://bucket/deep/x", "/deep/x"),
        ("s3://bucket/deeper", "/srv/bucket/deeper"),
        ("s3://bucket/../etc/passwd", None),
        ("s3://bucketful/x", None),
        ("s3://[", None),
        ("", None),
    ],
)
def test_where_a_uri_leads(uri: str, path: str | None) -> None:
    assert SITE.local(uri) == path


def test_names_fit_in_what_sagemaker_allows() -> None:
    assert training_job_name("my-training-job", ATTEMPT) == f"AWSBatchmy-training-job{ATTEMPT}"
    assert training_job_name("x" * 22 + "-y", ATTEMPT) == f"AWSBatch{'x' * 22}{ATTEMPT}"
    assert len(training_job_name("x" * 63, ATTEMPT)) == 63
    assert log_stream("a", ATTEMPT, Millis(5_999)) == f"AWSBatcha{ATTEMPT}/algo-1-5"
    assert read_training_request({}, "my_job_").training_job_name == "my-job"


def test_hyperparameters_are_decoded_where_they_can_be_told_on() -> None:
    assert [decoded(text) for text in ('"adam"', "10", "[1, 2]", "adam", "1.5e3")] == [
        "adam",
        10,
        [1, 2],
        "adam",
        1500.0,
    ]
    for text in ("[" * 100_000, '"\\ud800"', "9" * 5000):
        assert decoded(text) == text


def test_null_is_as_good_as_nothing() -> None:
    found = read_training_request({"Environment": None, "ResourceConfig": None, "InputDataConfig": None}, "job")
    assert (found.environment, found.instance_type, found.channels) == ({}, "local", ())
