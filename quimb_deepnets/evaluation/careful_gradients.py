"""Gradients by torch of amplitudes whose weights lie further apart than floats reach.

Torch multiplies adjoints as plain numbers: where weights are `far_apart`, an adjoint underflows on
its way though the derivative would not, or becomes inf and then nan beside an exact zero. There the
graph has a single node for all amplitudes, and its backward pass is that of `scaled_derivatives`::

    params --.                     .--> mantissa (B,)  --> plain, log, any loss
             +--[ one torch node ]-+
    digits --'                     '--> exponent (B,), a constant
             <----- derivatives in scaled numbers <---- adjoint of the mantissa
"""

import functools
import sys
from typing import Any

from autoray import do, infer_backend

from ..errors import MethodError
from ..numerics.scaled import Scaled, mutable
from .scaled_derivatives import far_apart

BLOCK = 256  # configurations that are differentiated together


def follows_far_apart(net):
    """Whether torch differentiates a network whose weights are too far apart for its graph.

    Raises
    ------
    MethodError
        If it does so by a function transform or in forward mode.
    """
    leaves = list(net.params.leaves.values())
    if infer_backend(net._like) != "torch" or mutable(*leaves) or not far_apart(net):
        return False
    unpack = sys.modules["torch"].autograd.forward_ad.unpack_dual
    if not all(mutable(x.detach()) and unpack(x).tangent is None for x in leaves):
        raise MethodError(
            "some weights are so small, or so far apart, that floats cannot hold the products of "
            "their derivatives, and torch.func and forward mode offer nothing else; use "
            "log_derivatives, torch.autograd.grad (of a network that requires grad), or weights "
            "that are closer together."
        )
    return True


def refuse_far_apart(net, what):
    """Refuse to hand the weights of a network to a plain graph of torch that would lose some.

    Raises
    ------
    MethodError
    """
    if hasattr(net.geometry, "num_tensors") and follows_far_apart(net):
        raise MethodError(
            f"{what} of weights that are so small or so far apart has derivatives which floats "
            "cannot follow; use log_amplitudes or to_dense, whose derivatives are right, or "
            "weights that are closer together, or detach them."
        )


def careful_amplitudes(net, plan):
    """A function from digits ``(N, B)`` to scaled amplitudes with gradients, where it is needed.

    Parameters
    ----------
    net : ConvAC or RAC
    plan : Plan

    Returns
    -------
    callable or None
        None where nobody differentiates, or the graph of torch itself will do.
    """
    if not follows_far_apart(net):
        return None
    bare = net._bare()
    evaluate, derive = bare._evaluate_by(plan), bare._derivatives_by()[0]
    params = list(net.params.values())
    return lambda x: Scaled(*_node().apply(evaluate, derive, x, *params))


@functools.cache
def _node():
    """The node of the graph, a class of torch, which is there if an array of it is."""
    torch: Any = sys.modules["torch"]

    class CarefulAmplitudes(torch.autograd.Function):
        """Mantissas and exponents of amplitudes, differentiated in scaled numbers."""

        @staticmethod
        def forward(ctx, evaluate, derive, x, *params):
            """The amplitudes of digits ``(N, B)``."""
            out = evaluate(x)
            zero = out.mantissa == 0  # whose exponent may be any: of their derivatives it is not
            exponent = do("where", zero, out.exponent * 0, out.exponent)
            ctx.derive, ctx.digits, ctx.exponent = derive, x, exponent
            ctx.shapes = [param.shape for param in params]
            ctx.mark_non_differentiable(exponent)
            return out.mantissa, exponent

        @staticmethod
        def backward(ctx, adjoint, _):
            """The derivatives of all parameters from that of the mantissas."""
            if torch.is_grad_enabled():
                raise MethodError(
                    "second derivatives of weights that are so small or so far apart are not "
                    "there; leave out create_graph=True, or use weights that are closer together."
                )
            adjoint = do("conj", adjoint)
            total: Any = 0.0
            for start in range(0, len(adjoint), BLOCK):
                some = slice(start, start + BLOCK)
                seed = Scaled(adjoint[some], ctx.exponent[some])
                total = total + do("sum", ctx.derive(ctx.digits[:, some], seed), axis=0)
            sizes = [shape.numel() for shape in ctx.shapes]
            parts = torch.split(total.conj().resolve_conj(), sizes)
            return None, None, None, *(p.reshape(s) for p, s in zip(parts, ctx.shapes))

    return CarefulAmplitudes
