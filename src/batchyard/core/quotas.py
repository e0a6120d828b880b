"""How many of each thing there may be (F 2.4; User Guide, Service quotas).

These are AWS's own numbers. Those that a machine of one's own would rather have larger are settings of the operator and
stand in `api.context.Settings`.
"""

JOB_QUEUES = 50
COMPUTE_ENVIRONMENTS = 50
ENVIRONMENTS_PER_QUEUE = 3
SCHEDULING_POLICIES = 500
SHARES_PER_POLICY = 500
DEPENDENCIES_PER_JOB = 20
JOB_DEFINITION_KIB = 24
SUBMIT_JOB_KIB = 30
DESCRIBE_JOBS_IDS = 100
BULK_JOB_IDS = 50
DESCRIBE_NAMES = 100
EVALUATE_ON_EXIT_ENTRIES = 5
RETRY_ATTEMPTS = 10
TASK_CONTAINERS = 10
EKS_CONTAINERS = 10
NODES = 1000
NODE_RANGES = 5
CONSUMABLE_RESOURCES_PER_JOB = 5
TAGS_PER_RESOURCE = 50
REASON_CHARACTERS = 1024

INACTIVE_DEFINITIONS_KEPT_MILLIS = 180 * 24 * 3600 * 1000
"""An INACTIVE definition vanishes from the describe calls after 180 days."""
