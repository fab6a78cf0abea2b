"""Plans, ratios and derivatives of any network, from its amplitudes alone.

What a family of networks uses until it has something faster::

    plan           so many configurations at a time as suit the cache
    ratios         amplitudes of all changed configurations
    derivatives    autograd of torch, one configuration after another
"""

import math

import numpy as np
from autoray import do, infer_backend, to_numpy

from ..errors import MethodError, OptionError, check_positive_int
from ..numerics.configs import digits
from ..numerics.scaled import Scaled
from .chunks import prepare
from .plan import Plan


def general_plan(net, batch):
    """The `Plan` of a network of which only its number of parameters is known."""
    batch, count, size = check_positive_int("batch", batch), net.num_params, net._like.itemsize
    machine = net._machine
    chunk = max(1, min(batch, machine.chunk // (size * count)))
    return Plan(
        geometry=net.geometry,
        batch=batch,
        level=0,
        group=None,
        chunk=chunk,
        chunk_bytes=chunk * count * size,
        table_bytes=0,
        table_flops=0,
        flops=2 * count,
        lookups=0,
        cost=batch * 2 * count * machine.flop + 20 * machine.call * -(-batch // chunk),
        lines=(f"each of {count} parameters used once for each configuration",),
        machine=machine,
    )


def ratio_of(new, old):
    """Quotients of scaled amplitudes as plain numbers, nan where the old one is zero."""
    zero = old.mantissa == 0
    safe = do("where", zero, do("ones_like", old.mantissa), old.mantissa)
    quotient = Scaled(new.mantissa / safe, new.exponent - old.exponent)
    return do("where", zero, math.nan, quotient.plain("a ratio", vanishing=True))


def masked_ratios(net, masks, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, and how many at once.

    Every changed configuration is evaluated as one of a large batch.

    Parameters
    ----------
    net : DeepNetwork
    masks : Masks
    batch : int
        How many configurations to plan for.
    """
    M, count = net.phys_dim, masks.count + 1
    evaluate, size = prepare(net, net.plan(batch * count))
    # the mask of nothing comes first, for psi(s)
    added = np.concatenate((np.zeros((1, net.nsites), int), masks.digits(net.nsites, int).T))
    added = digits(added, M, net._like)

    def _ratios(x):
        moved = x[:, None] + added[:, :, None]
        moved = moved & 1 if M == 2 else moved % M
        found = evaluate(do("reshape", moved, (len(x), -1)))
        new = Scaled(*(do("reshape", part, (count, -1)) for part in found))
        quotients = ratio_of(new, Scaled(*(part[:1] for part in new)))[1:]
        return do("transpose", quotients, (1, 0))

    return _ratios, max(1, size // count)


def autograd_derivatives(net):
    """A function from digits ``(N, B)`` to ``(B, num_params)``, and how many at once.

    Raises
    ------
    OptionError
        If the weights are neither of numpy nor of torch.
    """
    if infer_backend(net._like) not in ("numpy", "torch"):
        raise OptionError(
            f"log_derivatives of a {type(net).__name__} follow torch, and its weights are arrays "
            f"of {infer_backend(net._like)}; use net.to('torch')."
        )
    twin = net.to("torch")
    leaves = list(twin.params.values())
    for x in leaves:
        x.requires_grad_()

    def _gradient(log):
        for x in leaves:
            x.grad = None
        log.backward(retain_graph=True)
        parts = (do("zeros_like", x) if x.grad is None else x.grad for x in leaves)
        return do("concatenate", tuple(do("conj", x).reshape(-1) for x in parts))

    def _derive(x):
        configs = to_numpy(x).T.reshape(-1, *net.geometry.shape)
        logs = twin.log_amplitudes(configs)[1]
        if not logs.requires_grad:
            raise MethodError(
                f"the amplitudes of a {type(net).__name__} lose the graph of torch on their way, "
                "so nothing differentiates them; compute with autoray.do in _evaluate_by, or "
                "give _derivatives_by."
            )
        alive = to_numpy(logs.detach()) != -math.inf
        if not alive.all():  # the infinite slope of one would reach the others
            logs = twin.log_amplitudes(configs[alive])[1]
        blank = tuple(p.detach().reshape(-1) * math.nan for p in leaves)
        rows, blank = iter(logs), do("concatenate", blank)
        found = do("stack", tuple(_gradient(next(rows)) if there else blank for there in alive))
        return found if infer_backend(net._like) == "torch" else to_numpy(found)

    return _derive, 64
