"""Operators as a DAG holds them, executed as a worker executes them; prints what each returned or raised, as JSON."""

import json
import sys
from datetime import timedelta

from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator

definition, failing = sys.argv[1:]


def executed(name, **members):
    """Execute an operator; returns its job's id and what it returned or raised. Its log goes to standard output."""
    operator = BatchOperator(
        task_id=name,
        job_name=f"airflow-{name}",
        job_queue="default",
        aws_conn_id=None,
        do_xcom_push=False,
        awslogs_enabled=True,
        awslogs_fetch_interval=timedelta(seconds=0.2),
        **members,
    )
    try:
        outcome = operator.execute({})
    except Exception as failure:
        outcome = f"{type(failure).__name__}: {failure}"
    return {"job": operator.job_id, "outcome": outcome}


hook = BatchClientHook(aws_conn_id=None)
seen = {
    "good": executed(
        "good",
        job_definition=definition,
        parameters={"word": "airflow"},
        container_overrides={"environment": [{"name": "MARK", "value": "seen"}]},
        tags={"dag": "a"},
        retry_strategy={"attempts": 2},
    ),
    "bad": executed("bad", job_definition=failing),
}
seen["described"] = hook.get_job_description(seen["good"]["job"])["status"]
seen["logs"] = hook.get_job_awslogs_info(seen["good"]["job"])
print(json.dumps(seen))
