"""Why a job waits: the reader of the facts that `core.explanations` puts into words."""
