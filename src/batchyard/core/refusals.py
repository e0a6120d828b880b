"""Every "no", in AWS's own sentences.

A refusal says that the caller asked for something impossible; it becomes a ClientException (or another code of the
service that was called). AWS has two families of text (F 1.5): static validation of a request body comes *wrapped* as
`Error executing request, Exception : <text>, RequestId: <uuid>`; look-ups and state checks come bare. The wrapper is
put on at the wire, which knows the request id.

Functions here return refusals, so that a caller reads `raise refusals.job_queue_not_found(name)`. The marks behind
each sentence are those of the fact sheet: [seen] in real output, [model], [doc], [chosen] where the real text is
unknown and ours stands in (docs/unknowns.md lists those).
"""


class Refusal(Exception):
    """The request cannot be carried out; nothing was changed.

    text: the sentence for the caller. wrapped: whether it belongs to the static family. code and status: the error's
    name on the wire and its HTTP status.
    """

    def __init__(self, text: str, *, wrapped: bool = False, code: str = "ClientException", status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.wrapped = wrapped
        self.code = code
        self.status = status
