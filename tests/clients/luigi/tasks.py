"""Tasks as a user of Luigi writes them: two jobs, the second of which needs what the first made."""

import luigi
from luigi.contrib.batch import BatchTask


class Job(BatchTask):
    """A job of the definition that is named, done when its file is there."""

    target = luigi.Parameter()
    source = luigi.OptionalParameter(default=None)
    job_name = luigi.OptionalParameter(default="luigi-job")
    poll_time = luigi.IntParameter(default=1)

    @property
    def parameters(self):
        return {"target": self.target, "source": self.source or "/dev/null"}

    def output(self):
        return luigi.LocalTarget(self.target)


class Pipeline(Job):
    """Needs a job of its own kind first."""

    def requires(self):
        return Job(job_definition=self.job_definition, job_queue=self.job_queue, target=self.source)
