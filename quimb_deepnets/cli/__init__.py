"""The command line: studies in scripts, ``python -m quimb_deepnets paths conv 64 --depth 3 ...``.

::

    describe   what a network is, in integers            NETWORK   conv SHAPE, rac L, rbm SHAPE
    paths      what contracting it costs                           or a file of qdn.save;
    entropy    its entanglement, in bits                           for paths also a problem in JSON
    ground     the ground state of a model                 tfi, heisenberg or j1j2, and SHAPE
    demo       the tour of the README
    doctor     what is installed, what is missing and how to get it; 1 if it is required

Exit codes: 0 done, 1 refused with one line on stderr, 2 wrong usage, 130 interrupted. The doctor
runs with the standard library alone, and where nothing else can be imported.

Files: `words` (messages in its words), `doctor`, `tour` (the script of the demo), `commands` (all
others).
"""

import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from ..errors import DeepNetError, ExtraError
from . import doctor
from .tour import demo
from .words import PROG, in_cli_words

__all__ = ["demo", "main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run a command, and print errors of this package as one line.

    Parameters
    ----------
    args : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from quimb_deepnets.cli import main
    >>> main(["describe", "rac", "16", "--depth", "2", "--bond-dim", "4"])  # doctest: +ELLIPSIS
    RAC(L=16, depth=2, bond_dim=4, phys_dim=2, num_params=68)
    ...
    0
    """
    args = list(sys.argv[1:] if args is None else args)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Couldn't import")
            code = doctor.run(args[1:]) if args[:1] == ["doctor"] else _commands().run(args)
            sys.stdout.flush()
            return code or 0
    except DeepNetError as error:
        print(f"{PROG}: error: {in_cli_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _commands():
    """The module of all other commands, which needs all that the package needs."""
    try:
        return importlib.import_module(".commands", __name__)
    except ImportError as error:
        raise ExtraError(
            f"a package that is needed cannot be imported ({error}); {PROG} doctor says which, and "
            "how to get it."
        ) from error
