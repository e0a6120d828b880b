// A session as a program in JavaScript has it: define, submit, wait, read, page, refuse. Prints what it saw as JSON.
import { createRequire } from "node:module";

// The SDK lies where the program was installed, which the environment names.
const require = createRequire(process.env.CLIENT_FOLDER + "/");
const batchSdk = require("@aws-sdk/client-batch");
const logsSdk = require("@aws-sdk/client-cloudwatch-logs");

const batch = new batchSdk.BatchClient({});
const logs = new logsSdk.CloudWatchLogsClient({});
const seen = {};

async function described(jobId) {
  const { jobs } = await batch.send(new batchSdk.DescribeJobsCommand({ jobs: [jobId] }));
  return jobs[0];
}

async function ended(jobId) {
  for (;;) {
    const job = await described(jobId);
    if (job.status === "SUCCEEDED" || job.status === "FAILED") return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const definition = await batch.send(
  new batchSdk.RegisterJobDefinitionCommand({
    jobDefinitionName: "javascript",
    type: "container",
    containerProperties: {
      image: "busybox",
      command: ["sh", "-c", 'echo "hello $WORD"'],
      resourceRequirements: [
        { type: "VCPU", value: "1" },
        { type: "MEMORY", value: "64" },
      ],
    },
    tags: { "made/by": "javascript" },
  }),
);
seen.tags = (
  await batch.send(new batchSdk.ListTagsForResourceCommand({ resourceArn: definition.jobDefinitionArn }))
).tags;

const submit = (members) =>
  batch.send(
    new batchSdk.SubmitJobCommand({
      jobName: "javascript",
      jobQueue: "default",
      jobDefinition: definition.jobDefinitionArn,
      ...members,
    }),
  );

const single = await submit({ containerOverrides: { environment: [{ name: "WORD", value: "wörld" }] } });
const job = await ended(single.jobId);
seen.job = { status: job.status, exitCode: job.container.exitCode, attempts: job.attempts.length };
seen.times = [job.createdAt, job.startedAt, job.stoppedAt];

const page = await logs.send(
  new logsSdk.GetLogEventsCommand({
    logGroupName: "/aws/batch/job",
    logStreamName: job.container.logStreamName,
    startFromHead: true,
  }),
);
seen.messages = page.events.map((event) => event.message);

const array = await submit({ arrayProperties: { size: 5 }, dependsOn: [{ jobId: single.jobId }] });
seen.summary = (await ended(array.jobId)).arrayProperties.statusSummary.SUCCEEDED;
seen.pages = [];
const listing = { client: batch, pageSize: 2 };
for await (const found of batchSdk.paginateListJobs(listing, { arrayJobId: array.jobId, jobStatus: "SUCCEEDED" })) {
  seen.pages.push(found.jobSummaryList.map((child) => child.arrayProperties.index));
}

await batch.send(new batchSdk.TerminateJobCommand({ jobId: single.jobId, reason: "too late" }));
seen.after = (await described(single.jobId)).status;
try {
  await submit({ jobQueue: "nowhere" });
} catch (refusal) {
  seen.refusal = {
    isClientException: refusal instanceof batchSdk.ClientException,
    fault: refusal.$fault,
    status: refusal.$metadata.httpStatusCode,
    hasRequestId: Boolean(refusal.$metadata.requestId),
    tries: refusal.$metadata.attempts,
    message: refusal.message,
  };
}
console.log(JSON.stringify(seen));
