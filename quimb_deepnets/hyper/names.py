"""Names of inner indices: those of the plan, with a suffix that no other network has.

As quimb's own bonds, so that two networks can be combined without a clash of names; copies of a
network share their names::

    plan   _x0    _x1    _y    _y0            tensors   _x0_1f9a2cAAAAA   _x1_1f9a2cAAAAA   ...
"""

import functools

from quimb.tensor.tensor_core import rand_uuid

SWITCH = "_switch"  # the index over the terms of a sum


def unique_names():
    """A function from the names of a plan to names that are new, the same for the same name."""
    mark = rand_uuid()
    return functools.cache(lambda ix: ix + mark)


def plain_name(ix):
    """The name that an index has in the plan, for one that `unique_names` made."""
    return ix[: ix.find("_", 1)] if "_" in ix[1:] else ix
