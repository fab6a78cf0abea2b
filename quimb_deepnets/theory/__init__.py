"""What the paper proves and what is known exactly: formulas of integers, no state needed.

::

    geometry, subset --> rank_bound      the exact law of windows: a minimum cut, in integers
    any network      --> cut_rank        the same for tensor networks of any kind
    windows          --> treewidth_bits  a step that every contraction path must take
    sizes            --> conv_entropy_order, ...     the theorems of arXiv:1803.09780
    dimensions       --> page_entropy    random states, for comparison
    any tensor       --> cloning_failure    why a tensor network needs a copy for each re-use

The files are rank_law, cuts, treewidth, bounds, page and cloning; architecture says which geometry
a network stands for.
"""

from .bounds import (
    conv_entropy_order,
    half_window_layer,
    pooled_entropy_order,
    recurrent_rank_bound,
    volume_law_depth,
)
from .cloning import cloning_failure
from .cuts import cut_rank
from .page import page_entropy
from .rank_law import rank_bound
from .treewidth import treewidth_bits

__all__ = [
    "cloning_failure",
    "conv_entropy_order",
    "cut_rank",
    "half_window_layer",
    "page_entropy",
    "pooled_entropy_order",
    "rank_bound",
    "recurrent_rank_bound",
    "treewidth_bits",
    "volume_law_depth",
]
