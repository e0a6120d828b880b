"""Whatever a payload holds, it is refused or it makes an order that can be handed over."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core.ids import AttemptId
from batchyard.core.refusals import Refusal
from batchyard.core.training import ServiceTerms, TrainingSite, read_training_request
from batchyard.engine.launches import LaunchSettings, launch_of
from batchyard.executors.supervisor_protocol import FrameReader, frame
from tests.core.rows import attempt, terms

texts = st.text(max_size=12) | st.sampled_from(
    ["file:///a", "s3://bucket/a", "s3://[", "..", "train", '"\\ud800"', "[1]", "{}", "train.py", "a=b", "\0"]
)
values: Any = st.none() | st.booleans() | st.integers(-3, 3) | texts
parameters = st.dictionaries(
    texts | st.sampled_from(["sagemaker_program", "sagemaker_submit_directory", "rate"]), texts, max_size=4
)
channels = st.fixed_dictionaries(
    {"ChannelName": st.sampled_from(["train", "test", "a.b"]) | texts},
    optional={"DataSource": st.fixed_dictionaries({"S3DataSource": st.fixed_dictionaries({"S3Uri": texts})}) | values},
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "TrainingJobName": values,
        "AlgorithmSpecification": st.fixed_dictionaries(
            {}, optional={"ContainerEntrypoint": st.lists(texts, max_size=3), "ContainerArguments": st.lists(texts)}
        ),
        "HyperParameters": parameters | values,
        "Environment": parameters | values,
        "InputDataConfig": st.lists(channels, max_size=3) | values,
        "OutputDataConfig": st.fixed_dictionaries({"S3OutputPath": texts}),
        "CheckpointConfig": st.fixed_dictionaries({"S3Uri": texts}),
        "ResourceConfig": st.fixed_dictionaries({"InstanceCount": st.integers(0, 2)}) | values,
    },
)
SITE = TrainingSite("/data/training", {"s3://bucket": "/srv"})


@given(payloads)
def test_a_payload_is_refused_or_makes_an_order(payload: dict[str, Any]) -> None:
    try:
        training = read_training_request(payload, "job")
    except Refusal:
        return
    made = launch_of(
        attempt(attempt_id=AttemptId("a" * 32)),
        terms(service=ServiceTerms(payload="{}", training=training)),
        LaunchSettings(training=SITE),
    )
    assert list(FrameReader().feed(frame([made]))) == [[made]]
    assert made.workspace is not None
    assert made.workspace.path.startswith("/")
    environment = made.containers[0].environment
    assert not any("=" in name or "\0" in name + value for name, value in environment.items() if "SM_HP" not in name)
