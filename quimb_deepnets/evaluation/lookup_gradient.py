"""Products of rows that autograd of torch follows, computed by the loops.

::

    table --look_up--> products (B, r) --read-out--> psi        forward
      ^                     |
      '------add_rows-------'                                   backward
      '--rows, multiplied in torch, differentiated--'           backward of the backward
"""

import functools
import sys
from typing import Any

import numpy as np
from autoray import infer_backend

from ..kernels.compiled import as_rows
from ..kernels.lookup import look_up
from ..kernels.lookup_gradient import add_rows
from ..kernels.words import packed


def wants_gradient(*arrays):
    """Whether autograd of torch follows what is computed from these arrays."""
    if infer_backend(arrays[0]) != "torch":
        return False
    return sys.modules["torch"].is_grad_enabled() and any(x.requires_grad for x in arrays)


def has_tangent(*arrays):
    """Whether torch differentiates any of these arrays forward."""
    if infer_backend(arrays[0]) != "torch":
        return False
    dual = sys.modules["torch"].autograd.forward_ad.unpack_dual
    return any(dual(x).tangent is not None for x in arrays)


def looked_up(table, windows, pieces, phys_dim, x):
    """The plain products ``(B, r)`` of the rows that digits ``(N, B)`` select.

    Parameters
    ----------
    table : torch.Tensor, shape (rows, r)
    windows : FlatWindows
    pieces : PackedWindows
        The same windows, as the loops read them.
    phys_dim : int
    x : torch.Tensor of uint8, shape (N, B)
    """
    return _function().apply(table, windows, pieces, phys_dim, x)


@functools.lru_cache(1)
def _function():
    torch: Any = sys.modules["torch"]

    class RowProducts(torch.autograd.Function):
        """Products of rows of a table, and its gradient."""

        @staticmethod
        def forward(ctx, table, windows, pieces, phys_dim, x):
            ctx.save_for_backward(table, x)
            ctx.words = packed(as_rows(x), phys_dim)
            ctx.windows, ctx.pieces, ctx.phys_dim = windows, pieces, phys_dim
            parts = look_up(ctx.words, pieces, as_rows(table), len(windows.starts))
            return torch.from_numpy(parts[0])

        @staticmethod
        def backward(ctx, given):
            table, x = ctx.saved_tensors
            if torch.is_grad_enabled():
                out = _multiplied(table, ctx.windows, ctx.phys_dim, x)
                (back,) = torch.autograd.grad(out, table, given, create_graph=True)
            else:
                out = add_rows(ctx.words, ctx.pieces, as_rows(table), as_rows(given.conj()))
                back = torch.from_numpy(out).conj()
            return back, None, None, None, None

    return RowProducts


def _multiplied(table, windows, phys_dim, x):
    """The same products, row by row in torch, which it differentiates as often as it likes."""
    out, x = None, x.long()
    for p, start in enumerate(windows.starts.tolist()):
        sites = windows.sites[windows.first[p] : windows.first[p + 1]]
        powers = phys_dim ** np.arange(len(sites))[::-1]
        code = start + sum(int(power) * x[int(n)] for n, power in zip(sites, powers))
        row = table[code]
        out = row if out is None else out * row
    return out
