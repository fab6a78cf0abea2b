"""The command line.

::

    words     messages of functions in its words
    doctor    what is installed, what is missing
    commands  describe, paths, entropy, ground, demo: options read, results printed or saved
"""

from .commands import demo, main

__all__ = ["demo", "main"]
