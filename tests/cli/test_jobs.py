"""Submitting, watching, listing, reading and ending jobs, as a person does."""

import contextlib
import http.server
import signal
import threading
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess, wait_for

pytestmark = pytest.mark.process


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def failing_array(batchyard: Terminal, name: str) -> str:
    """Of six children those with index 2 and 5 fail; each says who it is."""
    script = "echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE; [ $((AWS_BATCH_JOB_ARRAY_INDEX % 3)) != 2 ]"
    job_id = batchyard("submit", "--name", name, "--array", "6", "sh", "-c", script).job_id
    assert batchyard("watch", job_id).exit_code == 1
    return job_id


def test_submit_then_watch_ends_with_0_only_when_the_job_succeeded(batchyard: Terminal) -> None:
    succeeding = batchyard("submit", "--", "true").job_id
    failing = batchyard("submit", "--", "sh", "-c", "exit 3").job_id
    assert batchyard("watch", succeeding).exit_code == 0
    watched = batchyard("watch", failing)
    assert watched.exit_code == 1
    assert "exit code 3" in watched.errors


def test_submit_prints_awss_answer_as_json(batchyard: Terminal) -> None:
    answer = batchyard("submit", "--output", "json", "--name", "as-json", "--", "true").json
    assert set(answer) == {"jobArn", "jobName", "jobId"}
    assert answer["jobName"] == "as-json"


def test_a_definition_is_registered_once_for_all_commands_of_a_program(batchyard: Terminal) -> None:
    memory = str(100 + uuid.uuid4().int % 400)
    ids = [batchyard("submit", "--memory", memory, "--", "sh", "-c", f"exit {n}").job_id for n in range(3)]
    described = batchyard("describe", *ids, "--output", "json").json["jobs"]
    assert [job["container"]["command"][-1] for job in described] == ["exit 0", "exit 1", "exit 2"]
    assert len({job["jobDefinition"] for job in described}) == 1
    assert described[0]["jobDefinition"].endswith(":1")


def test_options_after_the_program_belong_to_the_program(batchyard: Terminal) -> None:
    job_id = batchyard("submit", "--name", "mine", "echo", "--name", "its").job_id
    (job,) = batchyard("describe", job_id, "-o", "json").json["jobs"]
    assert (job["jobName"], job["container"]["command"]) == ("mine", ["echo", "--name", "its"])


def test_submit_takes_every_option_to_the_job(batchyard: Terminal) -> None:
    first = batchyard("submit", "--array", "2", "--", "true").job_id
    options = ["--array", "2", "--retry", "4", "--timeout", "90", "--vcpus", "2", "--memory", "300", "--env", "A=b=c"]
    dependencies = ["--env", "FROM_HERE", "--n-to-n", first, "--depends-on", f"{first}:1", "--sequential"]
    options += ["--max-parallel", "1", "--after", "any"]
    submitted = batchyard("submit", *options, *dependencies, "--", "true", FROM_HERE="x y")
    (job,) = batchyard("describe", submitted.job_id, "-o", "json").json["jobs"]
    assert job["arrayProperties"]["size"] == 2
    assert job["retryStrategy"]["attempts"] == 4
    assert job["timeout"] == {"attemptDurationSeconds": 90}
    assert {(r["type"], r["value"]) for r in job["container"]["resourceRequirements"]} == {
        ("VCPU", "2"),
        ("MEMORY", "300"),
    }
    assert {v["name"]: v["value"] for v in job["container"]["environment"]} == {"A": "b=c", "FROM_HERE": "x y"}
    assert job["dependsOn"] == [{"jobId": f"{first}:1"}, {"jobId": first, "type": "N_TO_N"}, {"type": "SEQUENTIAL"}]
    assert job["tags"] == {"batchyard:max-parallel": "1", "batchyard:after": "any"}


def test_run_shows_the_output_and_ends_as_the_command(batchyard: Terminal) -> None:
    ran = batchyard("run", "--", "sh", "-c", "echo one; echo two >&2; exit 7")
    assert ran.exit_code == 7
    assert ran.output.splitlines() == ["one", "two"]
    assert batchyard("run", "--", "true").exit_code == 0


def test_run_shows_every_attempt(batchyard: Terminal) -> None:
    script = 'echo attempt $AWS_BATCH_JOB_ATTEMPT; [ "$AWS_BATCH_JOB_ATTEMPT" = 3 ]'
    ran = batchyard("run", "--retry", "3", "--", "sh", "-c", script)
    assert ran.exit_code == 0
    assert ran.output.splitlines() == ["attempt 1", "attempt 2", "attempt 3"]


def test_logs_of_an_attempt_and_of_a_child(batchyard: Terminal) -> None:
    job_id = failing_array(batchyard, unique("logged"))
    assert batchyard("logs", f"{job_id}:4").output == "4 of 6\n"
    assert batchyard("logs", f"{job_id}:4", "--attempt", "2").exit_code == 2
    refused = batchyard("logs", job_id)
    assert refused.exit_code == 2
    assert f"{job_id}:5" in refused.errors


def test_logs_follow_a_job_while_it_writes(batchyard: Terminal) -> None:
    job_id = batchyard("submit", "--", "sh", "-c", "echo begun; read forever < /dev/zero; sleep 600").job_id
    following = batchyard.start("logs", "-f", job_id)
    try:
        assert following.stdout is not None
        assert following.stdout.readline() == "begun\n"
        assert batchyard("terminate", job_id).exit_code == 0
        assert following.wait(30) == 0
    finally:
        following.kill()
        following.communicate()


def test_ls_lists_live_jobs_and_finished_ones_on_demand(batchyard: Terminal) -> None:
    name = unique("listed")
    live = batchyard("submit", "--name", name, "--", "sleep", "600").job_id
    done = batchyard("submit", "--name", name, "--", "true").job_id
    assert batchyard("watch", done).exit_code == 0
    assert live in batchyard("ls").output
    assert done not in batchyard("ls").output
    assert done in batchyard("ls", "--all").output
    assert done not in batchyard("ls", "--status", "FAILED").output
    summaries = batchyard("ls", "-o", "json").json["jobSummaryList"]
    assert [job["status"] in ("SUCCEEDED", "FAILED") for job in summaries] == [False] * len(summaries)


def test_ls_of_an_array_lists_its_children_in_order(batchyard: Terminal) -> None:
    job_id = failing_array(batchyard, unique("children"))
    children = batchyard("ls", job_id, "-o", "json").json["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2, 3, 4, 5]
    failed = batchyard("ls", job_id, "--status", "failed", "-o", "json").json["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in failed] == [2, 5]


def test_jobs_go_by_the_beginning_of_their_id_and_by_their_name(batchyard: Terminal) -> None:
    name = unique("named")
    job_id = failing_array(batchyard, name)
    for reference in (job_id, job_id[:13], name):
        assert batchyard("describe", reference, "-o", "json").json["jobs"][0]["jobId"] == job_id
        child = batchyard("describe", f"{reference}:2", "-o", "json").json["jobs"][0]
        assert child["jobId"] == f"{job_id}:2"


def test_a_name_that_several_jobs_have_is_refused_with_their_ids(batchyard: Terminal) -> None:
    name = unique("twins")
    twins = [batchyard("submit", "--name", name, "--", "true").job_id for _ in range(2)]
    for twin in twins:
        assert batchyard("watch", twin).exit_code == 0
    refused = batchyard("describe", name)
    assert refused.exit_code == 2
    assert all(twin in refused.errors for twin in twins)


@pytest.mark.parametrize("reference", ["nobody", "abcdef0", str(uuid.UUID(int=7)), "no/such"])
def test_what_names_no_job_is_refused(batchyard: Terminal, reference: str) -> None:
    for command in ("describe", "watch", "logs", "why", "cancel", "terminate", "retry"):
        refused = batchyard(command, reference)
        assert (refused.exit_code, refused.output) == (2, "")
        assert reference in refused.errors


def test_cancel_leaves_running_jobs_alone_and_terminate_ends_them(batchyard: Terminal) -> None:
    running = batchyard("submit", "--vcpus", "4", "--", "sleep", "600").job_id
    waiting = batchyard("submit", "--vcpus", "4", "--", "true").job_id
    wait_for(lambda: status(batchyard, running) == "RUNNING", "the job runs")
    assert batchyard("cancel", running, waiting, "--reason", "not today").exit_code == 0
    assert status(batchyard, running) == "RUNNING"
    (cancelled,) = batchyard("describe", waiting, "-o", "json").json["jobs"]
    assert (cancelled["status"], cancelled["statusReason"]) == ("FAILED", "not today")
    ended = batchyard("terminate", running, "-o", "json").json
    assert ended == {"successful": [running], "errors": []}
    assert batchyard("watch", running).exit_code == 1
    (terminated,) = batchyard("describe", running, "-o", "json").json["jobs"]
    assert terminated["statusReason"] == "Terminated by user"


def status(batchyard: Terminal, job_id: str) -> str:
    return str(batchyard("describe", job_id, "-o", "json").json["jobs"][0]["status"])


def test_retry_runs_the_failed_children_under_their_own_indexes(batchyard: Terminal) -> None:
    job_id = failing_array(batchyard, unique("again"))
    again = batchyard("retry", job_id)
    assert batchyard("watch", again.job_id).exit_code == 1
    assert [batchyard("logs", f"{again.job_id}:{n}").output for n in range(2)] == ["2 of 6\n", "5 of 6\n"]
    (job,) = batchyard("describe", again.job_id, "-o", "json").json["jobs"]
    assert job["tags"] == {"batchyard:retry-of": job_id}
    once_more = batchyard("retry", f"{again.job_id}:1").job_id
    assert batchyard("watch", once_more).exit_code == 1
    assert batchyard("logs", once_more).output == "5 of 6\n"


def test_retry_of_a_single_job_runs_it_as_it_ran(batchyard: Terminal) -> None:
    first = batchyard("submit", "-e", "WORD=boo", "--retry", "2", "--", "sh", "-c", "echo $WORD; exit 1").job_id
    assert batchyard("watch", first).exit_code == 1
    second = batchyard("retry", first).job_id
    assert batchyard("watch", second).exit_code == 1
    jobs = batchyard("describe", first, second, "-o", "json").json["jobs"]
    for member in ("jobName", "jobQueue", "jobDefinition", "retryStrategy"):
        assert jobs[0][member] == jobs[1][member]
    assert batchyard("logs", second).output == "boo\n"
    assert len(jobs[1]["attempts"]) == 2


def test_retry_waits_for_nothing_and_keeps_the_limit_of_an_array(batchyard: Terminal) -> None:
    first = batchyard("submit", "--", "true").job_id
    waiting = ["--depends-on", first, "--after", "any"]
    array = batchyard("submit", "--array", "3", "--max-parallel", "2", *waiting, "--", "false").job_id
    assert batchyard("watch", array).exit_code == 1
    again = {job: batchyard("retry", job).job_id for job in (array, f"{array}:1")}
    (whole, one) = batchyard("describe", *again.values(), "-o", "json").json["jobs"]
    assert whole["tags"] == {"batchyard:max-parallel": "2", "batchyard:retry-of": array}
    assert one["tags"] == {"batchyard:retry-of": f"{array}:1"}


def test_retry_refuses_what_did_not_fail(batchyard: Terminal) -> None:
    job_id = batchyard("submit", "--", "true").job_id
    assert batchyard("watch", job_id).exit_code == 0
    refused = batchyard("retry", job_id)
    assert refused.exit_code == 2
    assert "SUCCEEDED" in refused.errors


def test_why_names_dependencies_capacity_and_failures(batchyard: Terminal) -> None:
    name = unique("holder")
    holder = batchyard("submit", "--name", name, "--vcpus", "4", "--", "sleep", "600").job_id
    waiting = batchyard("submit", "--vcpus", "4", "--", "true").job_id
    dependent = batchyard("submit", "--depends-on", holder, "--", "true").job_id
    huge = batchyard("submit", "--vcpus", "64", "--", "true").job_id
    wait_for(lambda: status(batchyard, holder) == "RUNNING", "the holder runs")
    wait_for(lambda: status(batchyard, waiting) == "RUNNABLE", "what may have been placed ahead is taken back")
    assert f"{name} ({holder}) holds 4 vCPUs and" in batchyard("why", waiting).output
    assert f"{name} ({holder}) is RUNNING" in batchyard("why", dependent).output
    assert "It can never be placed" in batchyard("why", huge).output
    batchyard("terminate", holder, huge)
    assert batchyard("watch", dependent).exit_code == 1
    explained = batchyard("why", dependent, "-o", "json").json
    assert explained["status"] == "FAILED"
    assert explained["cause"] == "FAILED"
    assert explained["why"] == [
        f"It failed without having run, since what it depends on failed: {name} ({holder}) is FAILED."
    ]
    assert "ended by SIGTERM" in batchyard("why", holder).output


def test_why_explains_the_children_of_an_array(batchyard: Terminal) -> None:
    job_id = failing_array(batchyard, unique("why"))
    said = batchyard("why", job_id).output
    assert "Child 2:" in said
    assert "Child 5:" in said
    assert "Child 1:" not in said
    assert "exit code 1" in said


def test_why_of_a_server_without_the_page_puts_together_what_the_api_tells(
    batchyard: Terminal, server: ServerProcess
) -> None:
    """As of AWS itself: another port, where everything but the page is handed on."""
    name = unique("holder")
    holder = batchyard("submit", "--name", name, "--vcpus", "4", "--", "sleep", "600").job_id
    waiting = batchyard("submit", "--vcpus", "4", "--", "true").job_id
    dependent = batchyard("submit", "--depends-on", holder, "--", "true").job_id
    wait_for(lambda: status(batchyard, holder) == "RUNNING", "the holder runs")
    wait_for(lambda: status(batchyard, waiting) == "RUNNABLE", "what may have been placed ahead is taken back")
    with without_pages(server.url) as url:
        apart = Terminal(url)
        assert f"4 vCPU  {name} ({holder})" in apart("why", waiting).output
        assert f"depends on {name} ({holder}), which is RUNNING" in apart("why", dependent).output
        batchyard("terminate", holder)
        assert batchyard("watch", dependent).exit_code == 1
        explained = apart("why", dependent, "-o", "json").json
        assert explained["why"][:2] == ["Dependent Job failed", "It never ran."]
        assert "ended by SIGTERM" in apart("why", holder).output
        said = apart("why", failing_array(batchyard, unique("why"))).output
        assert "Child 2:" in said
        assert "Exit code 1." in said


@contextlib.contextmanager
def without_pages(url: str) -> Iterator[str]:
    """The same server as one that has the API alone."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = urllib.request.Request(url + self.path, body, dict(self.headers), method="POST")
            with urllib.request.urlopen(asked, timeout=20) as answer:
                self._answer(answer.status, answer.read())

        def do_GET(self) -> None:
            self._answer(404, b"<html>nothing here</html>")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_ctrl_c_leaves_the_job_alone(batchyard: Terminal) -> None:
    job_id = batchyard("submit", "--", "sh", "-c", "echo here; sleep 600").job_id
    watching = batchyard.start("watch", job_id)
    try:
        assert watching.stdout is not None
        assert job_id in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
    finally:
        watching.kill()
        watching.communicate()
    assert status(batchyard, job_id) in ("STARTING", "RUNNING", "RUNNABLE")


def test_global_options_come_before_the_command_too(server: ServerProcess) -> None:
    nowhere = Terminal("http://127.0.0.1:1")
    listed = nowhere("--endpoint-url", server.url, "-o", "json", "ls")
    assert listed.exit_code == 0
    assert isinstance(listed.json["jobSummaryList"], list)
    refused = nowhere("ls")
    assert refused.exit_code == 2
    assert "Nothing answers at http://127.0.0.1:1." in refused.errors
    unknown_queue = nowhere("--endpoint-url", server.url, "--queue", "elsewhere", "ls")
    assert unknown_queue.exit_code == 2
    assert "ClientException" in unknown_queue.errors
