"""Files that are whole: written aside, then renamed.

::

    net.npz.4711.part  --os.replace-->  net.npz        a reader finds the old file or the new one
"""

import contextlib
import os
import pathlib
from typing import Any

from ..errors import OptionError


def as_path(path):
    """A path that can name a file.

    Raises
    ------
    OptionError
        If it is not one.
    """
    try:
        found = pathlib.Path(path)
        if not found.name or "\0" in str(found):
            raise ValueError("no name of a file")
    except (TypeError, ValueError) as error:
        raise OptionError(f"{path!r} is not a path of a file; give a string.") from error
    return found


@contextlib.contextmanager
def replacing(path, mode="w"):
    """Open a file aside; when the block ends well, it takes the place of ``path``.

    Parameters
    ----------
    path : str or path
    mode : {"w", "wb"}, optional

    Yields
    ------
    file object

    Raises
    ------
    OptionError
        If the file cannot be written; what was there before is left as it was.

    Examples
    --------
    >>> import os, tempfile
    >>> from quimb_deepnets.numerics.atomic import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(os.path.join(folder, "a.txt")) as file:
    ...         _ = file.write("whole")
    ...     os.listdir(folder)
    ['a.txt']
    """
    path = as_path(path)
    aside = _aside(path)
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf8", "newline": ""}
    try:
        with open(aside, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def writable(path):
    """A path that can be written, whose folder is made if it does not exist.

    Raises
    ------
    OptionError
        If it cannot; no file is left behind.

    Examples
    --------
    >>> import os, tempfile
    >>> from quimb_deepnets.numerics.atomic import writable
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writable(os.path.join(folder, "new", "a.txt")).name, os.listdir(folder)
    ('a.txt', ['new'])
    """
    path = as_path(path)
    aside = _aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        aside.touch()
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    return path


def _aside(path):
    """Where a file is written before it takes its place."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _unwritable(path, error):
    return OptionError(
        f"{str(path)!r} cannot be written: {error.strerror or error}; name a file in a folder "
        "that is there."
    )


def written(text, path=None):
    """A text, written to a file if a path is given, see `replacing`."""
    if path is not None:
        with replacing(path) as file:
            file.write(text)
    return text


def has_checkpoint(path):
    """Whether a file is there; if not, whether one could be written is found out before any work.

    Raises
    ------
    OptionError
        If it could not.
    """
    try:
        there = path.exists()
    except OSError as error:  # such as a name that is too long
        raise _unwritable(path, error) from error
    if not there and not os.access(path.parent, os.W_OK):
        raise OptionError(
            f"checkpoint={str(path)!r} cannot be written; name a file in a folder that is there."
        )
    return there
