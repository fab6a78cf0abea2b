"""Sums too long for one run: term by term, on any executor, with a file that keeps what is done.

::

    terms 0, 1, 2, ...  --executors-->  in order, lost ones once more  --sums-->  one Sum
                                                                          |
                                                                   checkpoint file

    executors   pools of processes and machines, and results in order
    sums        Sum, add_up, and the checkpoint key
    progress    progress bars
"""

from .executors import Job, as_pool, in_order
from .sums import Sum, add_up, checkpoint_key

__all__ = ["Job", "Sum", "add_up", "as_pool", "checkpoint_key", "in_order"]
