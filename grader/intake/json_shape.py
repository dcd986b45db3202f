"""How deep and how large a JSON text is, told before it is parsed. Flat in memory, linear in time.

A parser believes its input: 100,000 opening brackets exhaust a stack, and 50 MB of empty lists take
1.6 GB. This counts brackets, commas and strings without building anything.
"""

from __future__ import annotations

import re

from grader.intake.limits import IntakeLimits
from grader.intake.refusals import RefusedError

# A string counts whole; one that is never closed goes to the end of the text. The possessive
# quantifiers keep a long one from filling memory with places to come back to.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)


def refuse_monstrous(text: bytes, limits: IntakeLimits) -> None:
    """Raise RefusedError where parsing `text` could take more than memory and stack should give."""
    depth = 0
    for values, match in enumerate(_TOKEN.finditer(text)):
        token = match[0] if match.end() - match.start() == 1 else b'"'
        if token in b"[{":
            depth += 1
        elif token in b"]}":
            depth -= 1
        if depth > limits.json_depth:
            raise RefusedError(
                f"nests lists and objects more than {limits.json_depth} deep, as no notebook does"
            )
        if values > limits.json_values:
            raise RefusedError(
                f"holds more than {limits.json_values:,} values",
                "to clear the notebook's outputs and hand it in again",
            )
