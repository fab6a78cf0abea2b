"""Plans, ratios and derivatives of any network, from its amplitudes alone.

What a family of networks uses until it has something faster::

    plan           so many configurations at a time as suit the cache
    ratios         amplitudes of all changed configurations
    derivatives    autograd of torch, one configuration after another
"""

import math

import numpy as np
from autoray import do, infer_backend, to_numpy

from ..errors import BudgetError, MethodError, OptionError, check_positive_int
from ..numerics.configs import digits
from ..numerics.scaled import Scaled, array_like, plain, take_rows
from ..numerics.weights import MAX_BYTES
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


def prepare(net, plan):
    """A function from digits to scaled amplitudes, and how many at a time.

    Raises
    ------
    BudgetError
        If not even one configuration fits.
    """
    if plan.chunk_bytes > MAX_BYTES:
        raise BudgetError(
            f"one configuration needs arrays of {plan.chunk_bytes} bytes, more than the "
            f"{MAX_BYTES} allowed; use a smaller lattice or bond_dim."
        )
    return net._evaluate_by(plan), plan.chunk


def ratio_of(new, old):
    """Quotients of scaled amplitudes as plain numbers, nan where the old one is zero."""
    zero = old.mantissa == 0
    safe = do("where", zero, do("ones_like", old.mantissa), old.mantissa)
    quotient = Scaled(new.mantissa / safe, new.exponent - old.exponent)
    return do("where", zero, math.nan, plain(quotient, "a ratio", vanishing=True))


def masked_ratios(evaluate, masks, phys_dim):
    """A function from digits ``(N, B)`` to ratios ``psi(s + mask) / psi(s)``, ``(B, m)``.

    Every changed configuration is evaluated as one of a large batch.

    Parameters
    ----------
    evaluate : callable
        From digits ``(N, B)`` to scaled amplitudes ``(B,)``.
    masks : array of int, shape (N, m)
        What is added to each site, modulo the local dimension, as digits.
    phys_dim : int
    """

    def _ratios(x):
        added = do("concatenate", (0 * x[:, :1], masks), axis=1)
        moved = (x[:, None] + added[:, :, None]) % phys_dim
        found = evaluate(do("reshape", moved, (len(x), -1)))
        new = Scaled(*(do("reshape", part, (added.shape[1], -1)) for part in found))
        quotients = ratio_of(new, Scaled(*(part[:1] for part in new)))[1:]
        return do("transpose", quotients, (1, 0))

    return _ratios


def changed_ratios(net, batch):
    """A function from digits ``(N, B)`` to ratios of all flips ``(B, N, M)``, and how many at once.

    Every flipped configuration is evaluated as one of a large batch.
    """
    N, M = net.nsites, net.phys_dim
    evaluate, size = prepare(net, net.plan(batch * (N * (M - 1) + 1)))
    # the change by nothing comes first, for the ratios that are 1, or nan where psi is zero
    masks = [np.zeros((1, N), int), *(m * np.eye(N, dtype=int) for m in range(1, M))]
    masks = np.concatenate(masks)
    ratios = masked_ratios(evaluate, digits(masks, M, net._like), M)

    def _flips(x):
        found = do("transpose", ratios(x), (1, 0))
        one = found[:1] * 0 + 1
        changes = [do("concatenate", (one,) * N, axis=0), *do("reshape", found[1:], (M - 1, N, -1))]
        return by_value(do("stack", tuple(changes), axis=1), x)

    return _flips, max(1, size // len(masks))


def by_value(ratios, x):
    """From changes of each digit to the values that it gets, ``(N, M, B)`` to ``(B, N, M)``."""
    N, M, B = ratios.shape
    changes = (np.arange(M)[:, None, None] - to_numpy(x)[None].astype(int)) % M
    flat = do("transpose", ratios, (2, 0, 1)).reshape(-1)
    index = np.arange(B * N).reshape(B, N, 1) * M + changes.transpose(2, 1, 0)
    return take_rows(flat, array_like(index, flat))


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
