"""Why a job waits, and what became of it: facts in, one cause and one sentence out.

`verdicts` judges what stands between a RUNNABLE job and its placement, by what the plan itself said; `waiting` puts
that into words, `dependencies` and `endings` do so for jobs before and after.
"""

from batchyard.core.explanations.causes import Cause, Explanation, Mention

__all__ = ["Cause", "Explanation", "Mention"]
