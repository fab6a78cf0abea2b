"""The tour of the README: a script among the examples, which the wheel ships too.

::

    examples/demo.py  --as a module-->  main, table_rows, plot
"""

import functools
import importlib.util
import pathlib
from typing import Any

from ..errors import OptionError


@functools.cache
def demo():
    """The module of the demo: a script among the examples, which the wheel ships too."""
    here = pathlib.Path(__file__).parents[1]
    for folder in (here / "examples", here.parent / "examples"):
        if (path := folder / "demo.py").exists():
            spec: Any = importlib.util.spec_from_file_location("quimb_deepnets_demo", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise OptionError(f"examples/demo.py is not beside {here}; run the demo from a checkout.")
