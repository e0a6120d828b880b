"""filterPattern of FilterLogEvents: which messages it lets through (CloudWatch Logs User Guide, Filter pattern syntax).

Plain terms are understood: every `term` must occur, no `-term` may, and of `?term`s alone at least one must (beside
terms of the other kinds they count for nothing, as on AWS). A term is a word, or anything in double quotation marks;
case counts. Patterns that look into JSON (`{...}`), into columns (`[...]`) and regular expressions (`%...%`) are
refused, since letting everything through would be a wrong answer.
"""

import re
from dataclasses import dataclass

from batchyard.core import refusals

_TERM = re.compile(r'\s*(?P<sign>[-?]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"]+))')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """Terms by what is asked of them."""

    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()

    def matches(self, message: str) -> bool:
        """Whether the pattern lets this message through; the empty pattern lets all."""
        if any(term in message for term in self.excluded) or not all(term in message for term in self.required):
            return False
        if self.required or self.excluded or not self.alternatives:
            return True
        return any(term in message for term in self.alternatives)


def parse_filter_pattern(text: str) -> FilterPattern:
    """The pattern of this text. Raises Refusal for one that is not made of terms."""
    text = text.strip()
    if text[:1] in ("{", "[") or (len(text) > 1 and text[0] == text[-1] == "%"):
        raise refusals.filter_pattern_not_available()
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    end = 0
    while end < len(text):
        match = _TERM.match(text, end)
        if match is None:
            raise refusals.filter_pattern_invalid()
        end = match.end()
        quoted = match["quoted"]
        terms[match["sign"]].append(match["word"] if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return FilterPattern(tuple(terms[""]), tuple(terms["-"]), tuple(terms["?"]))
