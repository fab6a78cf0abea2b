"""Gradients by torch of amplitudes whose weights lie further apart than floats reach.

Torch multiplies adjoints as plain numbers: where weights are `far_apart`, an adjoint underflows on
its way though the derivative would not, or becomes inf and then nan beside an exact zero. There the
graph has a single node for all amplitudes, and its backward pass is that of `scaled_derivatives`::

    params --.                     .--> mantissa (B,)  --> plain, log, any loss
             +--[ one torch node ]-+
    digits --'                     '--> exponent (B,), a constant
             <----- derivatives in scaled numbers <---- adjoint of the mantissa
"""

import contextlib
import functools
import sys
from typing import Any

from autoray import do, infer_backend

from ..errors import MethodError
from ..numerics.products import FarZeroError
from ..numerics.scaled import Scaled, bits, float_info, look, mutable, readable
from .scaled_derivatives import far_apart

BLOCK = 256  # configurations that are differentiated together


def follows_far_apart(net):
    """Whether torch differentiates a network whose weights are too far apart for its graph.

    Raises
    ------
    MethodError
        If it does so by a function transform or in forward mode.
    """
    if not _followed(net) or not far_apart(net):
        return False
    _check_backward(net)
    return True


def _followed(net):
    """Whether torch differentiates what is computed from a network."""
    return infer_backend(net._like) == "torch" and not mutable(*net.params.leaves.values())


def _check_backward(net):
    """Refuse function transforms and forward mode."""
    unpack = sys.modules["torch"].autograd.forward_ad.unpack_dual
    leaves = net.params.leaves.values()
    if not all(mutable(x.detach()) and unpack(x).tangent is None for x in leaves):
        raise MethodError(
            "some weights are so small, or so far apart, that floats cannot hold the products of "
            "their derivatives, and torch.func and forward mode offer nothing else; use "
            "log_derivatives, torch.autograd.grad (of a network that requires grad), or weights "
            "that are closer together."
        )


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


def with_gradients(net, plan, quick, derivatives):
    """A function from digits ``(N, B)`` to scaled amplitudes, whose gradients are right.

    Parameters
    ----------
    net : ConvAC or RAC
    plan : Plan
    quick : callable
        Prepares the function, of plain arrays, that will do where nobody differentiates, or where
        the graph of torch holds all that its gradients need.
    derivatives : type
        Makes the derivatives in scaled numbers of a network, see `scaled_derivatives`.

    Returns
    -------
    callable
    """
    if not _followed(net):
        return quick()
    careful = functools.partial(_careful, net, plan, derivatives)
    return careful() if follows_far_apart(net) else _Watched(net, quick, careful)


class _Watched:
    """Amplitudes by the graph of torch, and in scaled numbers where zeros are far apart."""

    def __init__(self, net, quick, careful):
        self.net, self.careful = net, careful
        try:
            self.quick = quick()
        except FarZeroError:
            self.quick = None

    def __call__(self, x):
        """The scaled amplitudes ``(B,)`` of digits ``(N, B)``."""
        with contextlib.suppress(FarZeroError):
            if self.quick is not None and not _has_far_zero(out := self.quick(x)):
                return out
        _check_backward(self.net)
        return self.careful()(x)


def _has_far_zero(x):
    """Whether an amplitude is zero while its derivatives are out of all proportion."""
    if not readable(x.mantissa):
        return False
    there, exponent = look(x.mantissa) == 0, look(bits(x.exponent))
    return bool(there.any()) and abs(exponent[there]).max() > float_info(x.mantissa).maxexp // 8


def _careful(net, plan, derivatives):
    """Amplitudes whose gradients are computed in scaled numbers."""
    bare = net._bare()
    evaluate, derive = bare._evaluate_by(plan), derivatives(bare)
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
