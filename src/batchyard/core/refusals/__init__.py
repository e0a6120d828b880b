"""Every "no", in AWS's own sentences.

A refusal says that the caller asked for something impossible; it becomes a ClientException (or another code of the
service that was called). AWS has two families of text (F 1.5): static validation of a request body comes *wrapped* as
`Error executing request, Exception : <text>, RequestId: <uuid>`; look-ups and state checks come bare. The wrapper is
put on at the wire, which knows the request id.

Functions here return refusals, so that a caller reads `raise refusals.job_queue_not_found(name)`. Each docstring ends
with the mark of its sentence: [seen] in real output, [model], [doc], or [chosen] where the real text is unknown and
ours stands in (docs/unknowns.md lists those), or [ours] where AWS has nothing of the kind. One file per group; callers
see them all here.
"""

from batchyard.core.refusals.access import *  # noqa: F403
from batchyard.core.refusals.batchyard_tags import *  # noqa: F403
from batchyard.core.refusals.consumable_resources import *  # noqa: F403
from batchyard.core.refusals.container_properties import *  # noqa: F403
from batchyard.core.refusals.general import *  # noqa: F403
from batchyard.core.refusals.job_definitions import *  # noqa: F403
from batchyard.core.refusals.jobs import *  # noqa: F403
from batchyard.core.refusals.logs import *  # noqa: F403
from batchyard.core.refusals.queues_and_environments import *  # noqa: F403
from batchyard.core.refusals.refusal import Refusal as Refusal
from batchyard.core.refusals.scheduling import *  # noqa: F403
from batchyard.core.refusals.service_environments import *  # noqa: F403
from batchyard.core.refusals.service_jobs import *  # noqa: F403
