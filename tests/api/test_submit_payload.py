"""The quota on what one SubmitJob may carry (User Guide, Service quotas)."""

import pytest

from batchyard.core.refusals import Refusal
from tests.api.conftest import Yard


def test_a_submit_job_above_its_quota_is_refused(yard: Yard) -> None:
    yard.call(
        "RegisterJobDefinition",
        {
            "jobDefinitionName": "d",
            "type": "container",
            "containerProperties": {"image": "i", "vcpus": 1, "memory": 4, "command": ["true"]},
        },
    )
    with pytest.raises(Refusal, match=r"at most 30 KiB"):
        yard.call(
            "SubmitJob",
            {
                "jobName": "j",
                "jobQueue": "q",
                "jobDefinition": "d",
                "parameters": {"p": "x" * 31 * 1024},
            },
        )
