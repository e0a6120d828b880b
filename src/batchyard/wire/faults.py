"""Errors as AWS's clients expect them.

Both protocols carry the error's code in the header `x-amzn-ErrorType` and its text in the member `message`; JSON 1.1
names the code a second time in `__type`. botocore of any year reads at least one of the two.

AWS Batch has two families of text. What static validation of a request refuses comes wrapped, as
`Error executing request, Exception : <text>, RequestId: <uuid>` (the space before the colon is AWS's); look-ups and
state checks answer with the bare text. A fault knows its family, and the request id is put in when it is answered.
"""

from dataclasses import dataclass

import msgspec

from batchyard.wire.model import ServiceName

MESSAGE_CHARACTERS_MAX = 4096
"""Longer texts are cut: a text may quote what the client sent, and the client chose how long that was."""


class Fault(Exception):
    """The answer to this request is an error.

    code: the error's name for clients. status: the HTTP status. text: the sentence, without wrapper. wrapped: whether
    it belongs to the static family.
    """

    def __init__(self, code: str, status: int, text: str, *, wrapped: bool = False) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.status = status
        self.text = text
        self.wrapped = wrapped

    def message(self, request_id: str) -> str:
        """The text as it goes out."""
        text = self.text
        if len(text) > MESSAGE_CHARACTERS_MAX:
            text = text[:MESSAGE_CHARACTERS_MAX] + "..."
        return f"Error executing request, Exception : {text}, RequestId: {request_id}" if self.wrapped else text


class ValidationFault(Fault):
    """The request is well formed but breaks a constraint of the service model: something missing, too long, unknown."""

    def __init__(self, service: ServiceName, text: str) -> None:
        if service == "batch":
            super().__init__("ClientException", 400, text, wrapped=True)
        else:
            super().__init__("InvalidParameterException", 400, text)


class SerializationFault(Fault):
    """The bytes of the request cannot be read as what the model says: broken JSON, a number where a string belongs."""

    def __init__(self, text: str) -> None:
        super().__init__("SerializationException", 400, text)


def client_exception(text: str, *, wrapped: bool = False) -> Fault:
    """The one error that AWS Batch has for whatever the caller did wrong (API Reference, Common Errors)."""
    return Fault("ClientException", 400, text, wrapped=wrapped)


def unknown_operation(status: int = 404) -> Fault:
    """No operation has this path, method or target. JSON 1.1 services answer 400, path-routed ones 404."""
    return Fault("UnknownOperationException", status, "The requested operation is not known to this service.")


def request_too_large(limit: int) -> Fault:
    """The body has more than `limit` bytes."""
    return Fault("RequestEntityTooLargeException", 413, f"Request body must not be larger than {limit} bytes.")


def from_a_web_page() -> Fault:
    """The request was made by a page in somebody's browser."""
    return Fault("AccessDeniedException", 403, "Requests made by web pages are not accepted.")


def missing_authentication(service: ServiceName) -> Fault:
    """The request is not signed."""
    return _not_authentic(service, "MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature(service: ServiceName, text: str) -> Fault:
    """The request has a signature that lacks something."""
    return _not_authentic(service, "IncompleteSignatureException", text)


def unrecognized_client(service: ServiceName) -> Fault:
    """The access key or the session token is not one of ours."""
    return _not_authentic(
        service, "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def invalid_signature(service: ServiceName, text: str | None = None) -> Fault:
    """The signature is not what the key makes of the request, or is not valid now.

    AWS Batch and CloudWatch Logs call it InvalidSignatureException, which other services call SignatureDoesNotMatch.
    """
    return _not_authentic(
        service,
        "InvalidSignatureException",
        text
        or "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access Key and signing method. Consult the service documentation for details.",
    )


def _not_authentic(service: ServiceName, code: str, text: str) -> Fault:
    # Services of JSON 1.1 answer 400 where those of rest-json answer 403.
    return Fault(code, 403 if service == "batch" else 400, text)


def too_many_requests(service: ServiceName) -> Fault:
    """The caller makes more requests than the operator allows; clients wait and try again."""
    if service == "batch":
        return Fault("TooManyRequestsException", 429, "Too Many Requests")
    return Fault("ThrottlingException", 400, "Rate exceeded")


def server_exception(service: ServiceName, request_id: str) -> Fault:
    """A bug of ours: says nothing but where the operator finds the story."""
    code = "ServerException" if service == "batch" else "ServiceUnavailableException"
    return Fault(code, 500, f"An internal error occurred. The server's log has it under request {request_id}.")


@dataclass(frozen=True, slots=True)
class FaultAnswer:
    """An error ready for HTTP; code belongs in the header `x-amzn-ErrorType`."""

    status: int
    code: str
    body: bytes


def answer(fault: Fault, request_id: str, service: ServiceName = "batch") -> FaultAnswer:
    """The fault in the form of the service's protocol."""
    body = {"message": fault.message(request_id)}
    if service == "logs":
        body = {"__type": fault.code, **body}
    return FaultAnswer(fault.status, fault.code, msgspec.json.encode(body))
