"""States that cancel to round-off: their entropy would be that of noise, different for each method.

Every weight is moved a little, each independently: the norm of a sound state changes as little,
while that of a difference of equal parts becomes as large as the move::

    psi = part - part'        norm 1e-16 of the parts        all weights times 1 + 1e-8 g
    psi moved                 norm 1e-8  of the parts        ratio 1e8: refused

The norm is found in the cheapest way: amplitudes of some configurations, then all of them, a sweep
along a chain, or one contraction. Where all of these cost too much, or an amplitude has so many
factors that the move would change any state, nothing is checked. Tensor networks other than chains
are checked only if they are small; sums of states are checked in their contraction, see
`hyper.ranges`.
"""

import math

import numpy as np
from autoray import get_dtype_name

from ..errors import BudgetError, MethodError
from ..numerics.scaled import binary
from ..numerics.sizes import check_norm
from ..numerics.weights import DTYPES
from .methods.mps import log2_amplitudes
from .spectra import check_cancelled

SAMPLES, ALL = 64, 2**14  # configurations that are looked at: some, and when every one
CHEAP = 1e9  # flops that the check may take
SMALL = 2**12  # amplitudes: larger states without samples are not checked
MAX_MOVE = 0.25  # how far a sound amplitude may move, of itself, about
MANY_TENSORS = 300  # of more than these, a path takes longer to find than to follow


def check_state(view):
    """Refuse a state that vanishes, or that cancels to the round-off of its parts.

    Parameters
    ----------
    view : StateView

    Raises
    ------
    RangeError
        If the norm is zero or round-off, as far as that can be told.
    """
    if view.parts is None or "sound" in view.notes:
        return
    with np.errstate(all="ignore"):  # what is not finite is told below
        _check(view)
    view.notes.add("sound")


def _check(view):
    kind = get_dtype_name(view.like)
    epsilon = float(np.finfo(kind if kind in DTYPES else "float64").eps)
    if view.degree * epsilon**0.5 > MAX_MOVE:
        return
    sampled = {"amplitudes", "mps"} & view.views.keys()
    if not sampled and math.prod(view.dims) > SMALL:
        return  # the check would cost as much as the measure
    still, moved = view.parts(0.0), view.parts(epsilon**0.5)
    if not sampled or not _sampled_soundly(still, moved, epsilon):
        for measure, power in ((_by_amplitudes, 1), (_by_chain, 1), (_by_contraction, 2)):
            if view.degree * epsilon ** (0.5 / power) > MAX_MOVE:
                continue
            move = moved if power == 1 else view.parts(epsilon**0.25)
            try:
                norms = measure(still), measure(move)
            except (MethodError, BudgetError):
                continue
            if None not in norms:
                check_cancelled(*norms, power, epsilon)
                break


def _sampled_soundly(still, moved, epsilon):
    """Whether amplitudes of some configurations are not round-off; they need not be."""
    rng = np.random.default_rng(0)
    configs = rng.integers(still.dims, size=(SAMPLES, len(still.dims)))
    norms = _log2_norm(still, configs), _log2_norm(moved, configs)
    return math.isfinite(norms[0]) and norms[1] - norms[0] < -math.log2(epsilon) / 4


def _log2_norm(view, configs):
    """Half the logarithm of the sum of squared amplitudes."""
    if "amplitudes" in view.views:
        _, log = view.views["amplitudes"].value.log_amplitudes(configs)
        log = np.asarray(log, "float64")
    else:
        log = log2_amplitudes(view.views["mps"].value, configs) * math.log(2)
    top = log.max()
    if not math.isfinite(top):
        return top
    return (top + math.log(float((np.exp(2 * (log - top))).sum())) / 2) / math.log(2)


def _by_amplitudes(view):
    """From every entry of a small state."""
    if (total := math.prod(view.dims)) > ALL:
        return None
    if "amplitudes" in view.views:
        return _log2_norm(view, np.indices(view.dims).reshape(len(view.dims), total).T)
    ket = view.views["network"].value
    if ket.tn.num_tensors > MANY_TENSORS or view.views["vector"].cost.flops > CHEAP:
        return None
    data, exponent = ket.scaled(ket.tn, ket.inds)
    return _log2(np.linalg.norm(data)) + binary(exponent)


def _by_chain(view):
    """From a sweep of QR decompositions along an open chain."""
    for name in ("mps", "to_mps"):
        if name in view.views and view.views[name].cost.flops < CHEAP:
            return view.views[name].log2_norm()
    return None


def _by_contraction(view):
    """From the squared norm, as one contraction."""
    ket = view.views["network"].value
    if ket.tn.num_tensors > MANY_TENSORS or ket.density_cost(()).flops > CHEAP:
        return None
    doubled, _, _ = ket.doubled(())
    data, exponent = ket.scaled(doubled, ())
    return _log2(float(np.real(data))) + binary(exponent)


def _log2(size):
    if not math.isfinite(size):
        check_norm(size)
    return math.log2(size) if size > 0 else -math.inf if size == 0 else math.nan
