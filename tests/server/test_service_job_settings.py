"""What [service_jobs] may say."""

from pathlib import Path

import pytest

from batchyard.server.configuration import read_configuration
from batchyard.server.problem import ConfigurationProblem


def refused(folder: Path, text: str) -> str:
    """The sentence with which a configuration is refused."""
    file = folder / "batchyard.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationProblem) as caught:
        read_configuration(file, {})
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[service_jobs.instance]\nvcpus = 0.0", "service_jobs: instance must have vcpus and memory above 0"),
        ('[service_jobs.instances."ml.x"]\nmemory = 0', "service_jobs: ml.x must have vcpus and memory above 0"),
        ('[service_jobs.folders]\n"s3://b" = "here"', "the folder of s3://b must be an absolute path"),
        ("[service_jobs]\nfolder = 1", "unknown field `folder`"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refused(tmp_path, text)
