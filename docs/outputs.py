"""What a cell of a notebook or a block of a page prints, compared with what is kept beside it.

::

    "energy -1.2500  0.3 s"   --words-->      energy, s          equal
                              --numbers-->    -1.25, 0.3         equal to 1e-6 of their size

Columns of seconds do not count. In a cell with the tag ``varies`` (a run by the clock, or so long
that round-off decides its digits) no number counts. Pictures are counted.
"""

import itertools
import math
import re
from typing import Any

NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
TOLERANCES = 1e-6, 1e-9


def printed(cell: dict[str, Any]) -> str:
    """The text of the outputs of a cell, without what libraries log or display."""
    outputs = [
        out
        for out in cell["outputs"]
        if out.get("name") != "stderr" and out["output_type"] != "display_data"
    ]
    texts = (out.get("text") or _plain(out.get("data", {})) for out in outputs)
    return "\n".join("".join(text).strip("\n") for text in texts if text)


def _plain(data):
    """The text of an output, unless it is a picture."""
    return "" if "image/png" in data else data.get("text/plain", "")


def pictures(cell: dict[str, Any]) -> int:
    """How many pictures a cell shows."""
    return sum("image/png" in out.get("data", {}) for out in cell["outputs"])


def difference(
    found: str, kept: str, varies: bool = False, tolerances: tuple[float, float] = TOLERANCES
) -> str | None:
    """The first thing in which two texts differ, None if they are equal.

    Numbers may differ by the tolerances, relative and absolute; ``(0, 0)`` for texts word by word.

    Examples
    --------
    >>> difference("norm 1.00000000001", "norm 1.0") is None
    True
    >>> difference("norm 1.01", "norm 1.0")
    '1.01 instead of 1.0'
    """
    texts = [_timeless(text) for text in (found, kept)]
    words, numbers = zip(*((NUMBER.sub(" ", x).split(), NUMBER.findall(x)) for x in texts))
    same_number = lambda x, y: _same(x, y, *tolerances)
    for pairs, same in ((words, str.__eq__), (numbers, same_number)):
        if varies and pairs is numbers:
            break
        for x, y in itertools.zip_longest(*pairs, fillvalue="nothing"):
            if not same(x, y):
                return f"{x} instead of {y}"
    return None


def _same(x, y, relative, absolute):
    """Whether two numbers are equal, as they are written: whole ones exactly."""
    if x == y or "nothing" in (x, y) or (x + y).lstrip("+-").isdigit():
        return x == y
    return math.isclose(float(x), float(y), rel_tol=relative, abs_tol=absolute)


def _timeless(text):
    """A text without the columns of seconds in the tables of path reports."""
    lines, back = [], 0
    for line in text.splitlines():
        cells = line.split()
        if "optimize" in cells and "seconds" in cells:  # from the right: the best row has a star
            back = len(cells) - cells.index("seconds")
        elif len(cells) < back:
            back = 0
        if back:
            del cells[-back]
        lines.append(" ".join(cells))
    return "\n".join(lines)
