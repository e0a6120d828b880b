"""The exception itself, and its two families."""


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


def static(text: str) -> Refusal:
    """A refusal of the static family: found in the body alone, wrapped on the wire."""
    return Refusal(text, wrapped=True)


def bare(text: str) -> Refusal:
    """A refusal found by looking something up or by a thing's present state; its text goes out as it is."""
    return Refusal(text)
