"""Messages of functions in the words of the command line.

::

    max_bytes=5, form='collapsed'   --->   --max-bytes 5, --form collapsed
"""

import re

from ..errors import SitesError

PROG = "python -m quimb_deepnets"
# options of random networks, and what they are where they are not given; each family takes those
# that its rand takes
DEFAULTS = {
    "depth": 2,
    "kernel": 3,
    "bond_dim": 4,
    "phys_dim": 2,
    "boundary": "ones",
    "alpha": 1,
    "dist": "normal",
    "dtype": "float64",
    "seed": 0,
}
# arguments of functions, and the options of commands that set them
OPTIONS = {
    word: "--" + word.replace("_", "-")
    for word in (
        *DEFAULTS,
        *("task", "where", "form", "mode", "nodes", "optimize", "shared", "target_size"),
        *("rivals", "executor", "max_tensors", "max_bytes", "max_flops", "method", "plan"),
        *("out", "steps", "seconds", "samples", "checkpoint", "layers", "field", "j2"),
    )
} | {"shape": "SHAPE", "L": "SHAPE"}
# phrases of messages that make no sense on the command line, and what replaces them
PYTHON_WORDS = {
    r"\('(\w+)', where\)": r"--task \1 with --where",
    "renyi2_estimate, which samples amplitudes, ": "",
    ", or an optimizer object": "",
    ", a number of processes, or one of": " or one of",
    "None, a non-negative int.* or a numpy Generator": "a whole number of at least 0",
    "give an int for a chain or .Lx, Ly. for a lattice": "write 64 for a chain, 6x6 for a lattice",
    "give one int, or 1 of them": "give one number",
}
WHERE = "3, or 0,3,5, or 0:1,2:3 on a lattice"


def in_cli_words(error):
    """A message in one line, with the options of commands for the arguments of functions.

    ``max_bytes=5`` becomes ``--max-bytes 5``, ``form='collapsed'`` ``--form collapsed``.
    """
    text = " ".join(str(error).split())
    for pattern, words in PYTHON_WORDS.items():
        text = re.sub(pattern, words, text)
    for word, option in OPTIONS.items():
        value = (
            r"'(?P<a>[^']*)'|(?P<b>\([^)]*\)|\[[^]]*\]|\w[-+*.\w]*(?<![.])|-\w[-+*.\w]*(?<![.]))"
        )
        shown = lambda m, option=option: f"{option} {m['a'] or m['b']}"
        text = re.sub(rf"(?<![-\w]){word}=(?:{value})", shown, text)
        text = re.sub(rf"(?<![-\w]){word}=", option, text)
        if "_" in word:
            text = re.sub(rf"(?<![-\w]){word}\b", option, text)
    if isinstance(error, SitesError) and "--where" in text:
        text += f" Write {WHERE}."
    return text
