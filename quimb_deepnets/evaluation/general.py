"""Ratios and derivatives of any network, from its amplitudes alone.

What a family of networks uses until it has something faster::

    ratios         amplitudes of all changed configurations
    derivatives    autograd of torch, one configuration after another
"""

import math

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend, to_numpy

from ..errors import OptionError
from ..numerics.scaled import Scaled, array_like
from .evaluator import ratio_of


def changed_ratios(net, batch):
    """A function from digits ``(N, B)`` to ratios of all flips ``(B, N, M)``, and how many at once.

    Every flipped configuration is evaluated as one of a large batch.
    """
    count, M = net.nsites, net.phys_dim
    plan = net.plan(batch * count * (M - 1) + batch)
    evaluate = net._evaluate_by(plan)

    def _flips(x):
        old = Scaled(*(part[None] for part in evaluate(x)))
        one = do("ones_like", old.mantissa)
        ratios = [do("where", old.mantissa == 0, float("nan"), one) + 0 * x]
        for change in range(1, M):
            add = astype(array_like(change * np.eye(count, dtype=int), x), get_dtype_name(x))
            moved = (x[:, None] + add[:, :, None]) % M
            found = evaluate(do("reshape", moved, (count, -1)))
            new = Scaled(*(do("reshape", part, (count, -1)) for part in found))
            ratios.append(ratio_of(new, old))
        by_value = []
        for m in range(M):  # the change that leads from the digit to m
            here = ratios[0]
            for change in range(1, M):
                here = do("where", (x + change) % M == m, ratios[change], here)
            by_value.append(here)
        return do("transpose", do("stack", tuple(by_value), axis=-1), (1, 0, 2))

    return _flips, max(1, plan.chunk // count)


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
        rows = do("stack", tuple(map(_gradient, logs)))
        rows = do("where", (logs == -math.inf)[:, None], math.nan, rows)
        return rows if infer_backend(net._like) == "torch" else to_numpy(rows)

    return _derive, 64
