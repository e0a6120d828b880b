"""A flow as a user of Metaflow writes it: what runs on AWS Batch gets its credentials from the role of its jobs."""

import os

from metaflow import FlowSpec, batch, environment, retry, step

JOB = {name: os.environ[name] for name in ("PATH", "HOME", "METAFLOW_SKIP_INSTALL_DEPENDENCIES") if name in os.environ}


class YardFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = [1, 2, 3]
        self.next(self.square, foreach="numbers")

    @environment(vars=JOB)
    @batch(cpu=1, memory=512)
    @step
    def square(self):
        self.squared = self.input**2
        self.next(self.total)

    @environment(vars=JOB)
    @retry(times=2, minutes_between_retries=0)
    @batch(cpu=1, memory=512)
    @step
    def total(self, inputs):
        from metaflow import current

        if current.retry_count == 0:
            raise ValueError("the first attempt fails")
        self.sum = sum(each.squared for each in inputs)
        self.job_id = os.environ["AWS_BATCH_JOB_ID"]
        self.next(self.end)

    @step
    def end(self):
        print(f"the sum is {self.sum}, says {self.job_id}")  # noqa: T201 -- how a user sees it


if __name__ == "__main__":
    YardFlow()
