"""The tables. migrations/ must end at exactly this; a test compares the two.

Conventions: times are integer milliseconds; JSON is text with AWS's member names; ids that clients see are text. Two
shapes deserve a word:

*Array children are lazy.* The parent's row carries its children as intervals (`children`, see core.arrays) until one
of them differs; only then has it a row in `array_children`. Submitting, cancelling or restarting an array of ten
thousand touches one row.

*The hot row is small.* What a job is (its whole submission) stands in `job_requests` and is written once; `jobs`
holds only what changes and what it is found by.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

compute_environments = Table(
    "compute_environments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("status", String, nullable=False),
    Column("status_reason", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("max_vcpus", Float),
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
)

job_queues = Table(
    "job_queues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("status", String, nullable=False),
    Column("status_reason", String, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("compute_environments", Text, nullable=False),  # JSON list of names, best first
    Column("scheduling_policy", String),
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("settings", Text),  # what its `batchyard:` tags say, as JSON; NULL where they say nothing
    sqlite_autoincrement=True,  # or the jobs of a deleted queue would be those of the next one
)

scheduling_policies = Table(
    "scheduling_policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,  # or a page would go on in the middle of what came later
)

service_environments = Table(
    "service_environments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

quota_shares = Table(
    "quota_shares",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),  # `<queue>/<quota share>`
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

consumable_resources = Table(
    "consumable_resources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("resource_type", String, nullable=False),
    Column(
        "quantity", Integer, nullable=False
    ),  # REPLENISHABLE: all there is; NON_REPLENISHABLE: what nobody has taken
    Column("created_at", Integer, nullable=False),
    sqlite_autoincrement=True,
)

# What is CREATING, UPDATING or DELETING, by the ARN's tail; the engine ends each when its time has come.
phases = Table(
    "phases",
    metadata,
    Column("resource", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("began_at", Integer, nullable=False),
    Column("due_at", Integer, nullable=False),
    Column("stop_at", Integer),
    sqlite_with_rowid=False,
)

# Updates of consumable resources that came with a client token, so that each happens once.
consumable_updates = Table(
    "consumable_updates",
    metadata,
    Column("client_token", String, primary_key=True),
    Column("request", Text, primary_key=True),
    Column("at", Integer, nullable=False),
    Index("ix_consumable_updates_at", "at"),
    sqlite_with_rowid=False,
)

job_definitions = Table(
    "job_definitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("type", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("deregistered_at", Integer),
    Column("document", Text, nullable=False),
    UniqueConstraint("name", "revision"),
)

# Keyed by the ARN's tail (`job-queue/default`), since the ARN's region is the caller's.
tags = Table(
    "tags",
    metadata,
    Column("resource", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
    sqlite_with_rowid=False,
)

log_groups = Table(
    "log_groups",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", Integer, nullable=False),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("job_id", String, nullable=False, unique=True),
    Column("job_name", String, nullable=False),
    Column("queue_id", Integer, nullable=False),
    Column("definition_id", Integer, ForeignKey("job_definitions.id")),  # NULL: a service job, which has none
    Column("status", String, nullable=False),
    Column("status_reason", Text),
    Column("created_at", Integer, nullable=False),
    Column("scheduled_at", Integer),
    Column("started_at", Integer),
    Column("stopped_at", Integer),
    Column("attempt", Integer, nullable=False),
    Column("is_cancelled", Integer, nullable=False),
    Column("is_terminated", Integer, nullable=False),
    Column("requested_reason", Text),
    Column("array_size", Integer),
    Column("children", Text),
    Column("children_updated_at", Integer),
    Column("placeable", Integer, nullable=False),
    Column("vcpus", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("consumes", Integer, nullable=False),  # whether it needs consumable resources: then it is in the table below
    Column("share_identifier", String),  # of a service job in a queue with quota management: its quota share
    Column("scheduling_priority", Integer),  # a number wherever there is a share identifier
    # ListJobs pages: by status, and all of a queue newest first.
    Index("ix_jobs_queue_status", "queue_id", "status", "seq"),
    # The heads of the queues: placement reads a few rows here, however many wait.
    Index("ix_jobs_placeable", "queue_id", "seq", sqlite_where=text("placeable = 1 AND consumes = 0")),
    # The same of jobs that need consumable resources: however many wait for one, the others are found past them.
    Index("ix_jobs_placeable_consuming", "queue_id", "seq", sqlite_where=text("placeable = 1 AND consumes = 1")),
    # The shares that have a job that has not ended.
    Index(
        "ix_jobs_live_share",
        "queue_id",
        "share_identifier",
        sqlite_where=text("share_identifier IS NOT NULL AND status NOT IN ('SUCCEEDED', 'FAILED')"),
    ),
    # What could never fit, and is looked at again when a compute environment or a queue changes.
    Index("ix_jobs_misfit", "queue_id", "seq", sqlite_where=text("status_reason LIKE 'MISCONFIGURATION:%'")),
    sqlite_autoincrement=True,  # or a job would get the number of one that was forgotten, and what is left of it
)

# Jobs that were forgotten, and of which children, attempts or history may be left (see store/pruning.py).
retired_jobs = Table("retired_jobs", metadata, Column("job_seq", Integer, primary_key=True))

# Attempts that were forgotten, and of which files may be left.
retired_logs = Table(
    "retired_logs",
    metadata,
    Column("attempt_id", String, primary_key=True),
    sqlite_with_rowid=False,
)

# Jobs that say why they cannot be placed: misfits, and heads of queues for which the machine has no room.
blocked_jobs = Table(
    "blocked_jobs",
    metadata,
    Column("job_seq", Integer, primary_key=True),
    Column("queue_id", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Integer, nullable=False),
    Column("due_at", Integer),  # when jobStateTimeLimitActions end it
    Index("ix_blocked_jobs_queue", "queue_id"),
    Index("ix_blocked_jobs_due", "due_at", sqlite_where=text("due_at IS NOT NULL")),
)

# The heads of the shares of fair-share queues, and the shares that have any: the higher scheduling priority first.
Index(
    "ix_jobs_placeable_share",
    jobs.c.queue_id,
    jobs.c.share_identifier,
    jobs.c.consumes,
    jobs.c.scheduling_priority.desc(),
    jobs.c.seq,
    sqlite_where=text("placeable = 1 AND share_identifier IS NOT NULL"),
)

# What the ended attempts of each share of a fair-share queue count, faded to the time `at` (core.fair_share).
share_usage = Table(
    "share_usage",
    metadata,
    Column("queue_id", Integer, primary_key=True),
    Column("share_identifier", String, primary_key=True),
    Column("vcpu_seconds", Float, nullable=False),
    Column("at", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What jobs need of consumable resources, by the resource's name, which may have no row any more.
consumable_needs = Table(
    "consumable_needs",
    metadata,
    Column("resource", String, primary_key=True),
    Column("job_seq", Integer, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Index("ix_consumable_needs_job", "job_seq"),
    sqlite_with_rowid=False,
)

job_requests = Table(
    "job_requests",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

# Service jobs by the client token they were submitted with and a digest of the request, so that each is made once.
service_job_tokens = Table(
    "service_job_tokens",
    metadata,
    Column("client_token", String, primary_key=True),
    Column("request", String, primary_key=True),
    Column("job_seq", Integer, nullable=False),
    Index("ix_service_job_tokens_job", "job_seq"),
    sqlite_with_rowid=False,
)

array_children = Table(
    "array_children",
    metadata,
    Column("job_seq", Integer, primary_key=True),
    Column("array_index", Integer, primary_key=True),
    Column("status", String, nullable=False),
    Column("status_reason", Text),
    Column("scheduled_at", Integer),
    Column("started_at", Integer),
    Column("stopped_at", Integer),
    Column("attempt", Integer, nullable=False),
    Column("is_cancelled", Integer, nullable=False),
    Column("is_terminated", Integer, nullable=False),
    Column("requested_reason", Text),
    Index("ix_array_children_status", "job_seq", "status", "array_index"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_seq", Integer, primary_key=True),
    Column("array_index", Integer, primary_key=True),  # -1 where the job is no array child
    Column("attempt", Integer, primary_key=True),
    Column("attempt_id", String, nullable=False, unique=True),
    Column("compute_environment", String, nullable=False),
    Column("instance_id", String, nullable=False),
    Column("vcpus", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("placed_at", Integer, nullable=False),
    Column("started_at", Integer),
    Column("stopped_at", Integer),
    Column("due_at", Integer),  # when its timeout ends it
    Column("stop_wanted", String),  # TERMINATED, TIMED_OUT, HOST_TERMINATED or PREEMPTED
    Column("exit_code", Integer),
    Column("reason", Text),
    Column("status_reason", Text),
    Column("log_group", String, nullable=False),
    Column("log_stream", String, nullable=False),
    # All that holds capacity now: read in every tick, so it must not depend on how many have ended.
    Index("ix_attempts_active", "attempt_id", sqlite_where=text("stopped_at IS NULL")),
    Index("ix_attempts_log_stream", "log_group", "log_stream"),
    sqlite_with_rowid=False,
)

# The containers of attempts that have several. The first one's log stream is the attempt's.
attempt_containers = Table(
    "attempt_containers",
    metadata,
    Column("job_seq", Integer, primary_key=True),
    Column("attempt_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("log_id", String, nullable=False),  # by which its log file is found
    Column("log_group", String, nullable=False),
    Column("log_stream", String, nullable=False),
    Column("placed_at", Integer, nullable=False),
    Column("started_at", Integer),
    Column("stopped_at", Integer),
    Column("exit_code", Integer),
    Column("reason", Text),
    Index("ix_attempt_containers_log_stream", "log_group", "log_stream", sqlite_where=text("position > 0")),
    sqlite_with_rowid=False,
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("job_seq", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("type", String),  # NULL, N_TO_N or SEQUENTIAL
    Column("on_job_seq", Integer),
    Column("on_array_index", Integer),  # for a dependency on one array child
    Column("outcome", String),  # NULL while open, then SUCCEEDED or FAILED
    Column("succeeded", Text),  # N_TO_N: intervals of indexes whose partner SUCCEEDED
    Column("failed", Text),  # N_TO_N: intervals of indexes whose partner FAILED
    Index("ix_dependencies_on", "on_job_seq", "outcome"),
    sqlite_with_rowid=False,
)

# The story of every job: one row per transition, or per interval of children that made the same one together.
history = Table(
    "history",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("job_seq", Integer, nullable=False),
    Column("first_index", Integer),
    Column("last_index", Integer),
    Column("attempt", Integer),
    Column("event", String, nullable=False),
    Column("from_status", String),
    Column("to_status", String, nullable=False),
    Column("reason", Text),
    Index("ix_history_job", "job_seq"),
    sqlite_autoincrement=True,
)

engine_state = Table(
    "engine_state",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
