"""Draws from ``|psi|^2``: independent ones where they are cheap, else from Markov chains.

::

    net.sample(n) --+-- windows     site by site, `prefixes`        tabulated windows, chains, rings
                    +-- dense       all amplitudes                  few sites
                    +-- mps         site by site, an exact MPS      other chains
                    +-- metropolis  chains, thinned until they forget where they were
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..conversion.drawn import draw
from ..conversion.exact_mps import to_mps
from ..conversion.vanishing import check_not_cancelled
from ..errors import (
    BudgetError,
    MethodError,
    OptionError,
    RangeError,
    SamplingWarning,
    check_info,
    check_option,
    check_positive_int,
)
from ..jobs.progress import progress
from ..numerics.configs import config_block
from ..numerics.traced import check_there
from ..numerics.weights import MAX_BYTES, make_rng
from .diagnostics import why_doubtful
from .metropolis import Metropolis
from .moves import check_sector
from .prefixes import Prefixes
from .states import SampledState, read_state

CHEAP = 2**28  # bytes of sums, and of an MPS, that are made without being asked for
FEW = 2**16  # configurations of which all amplitudes are evaluated
MIN_CHAINS, MAX_CHAINS = 16, 128
PILOT, MAX_PILOT, MAX_THINNING = 32, 2048, 512  # sweeps
PROBED, PROBES, MIN_HITS = 64, 2**12, 0.005  # of draws, to look at before others are made

Draw = Callable[[int, np.random.Generator], np.ndarray]


def sample(
    state: Any,
    n: int,
    seed: Any = None,
    method: str = "auto",
    sector: int | None = None,
    start: Any = None,
    info: dict[str, Any] | None = None,
    progbar: bool = False,
) -> np.ndarray:
    """Configurations drawn with probability ``|psi(s)|^2``, the state normalised or not.

    Parameters
    ----------
    n : int
        How many.
    seed : None, int or numpy.random.Generator, optional
    method : {"auto", "exact", "metropolis"}, optional
        ``"exact"`` gives independent draws, site by site: of a `ConvAC` with tabulated windows on
        a chain, a ring or a narrow lattice; of any state of few sites; of other chains that have
        a small exact MPS. ``"metropolis"`` runs Markov chains with replica exchange, and takes
        draws so many sweeps apart that they are nearly independent. ``"auto"`` is exact where that
        is cheap.
    sector : int, optional
        Only configurations of so many ones, of qubits.
    start : array_like of int, optional
        Where Markov chains begin, see `Metropolis`.
    info : dict, optional
        Gets ``"method"``, ``"acceptance"`` (of proposals, or of draws that hit the sector),
        ``"rhat"`` and ``"autocorrelation"`` (in sweeps; both 1 for independent draws); of exact
        draws ``"way"``, one of windows, dense and mps; of Markov chains ``"chains"``,
        ``"sweeps"`` and ``"thinning"``, sweeps between draws.
    progbar : bool, optional
        Show a progress bar.

    Returns
    -------
    numpy.ndarray of int, shape (n, *shape)

    Raises
    ------
    OptionError
        If an option is not understood.
    ConfigError
        If ``start`` does not fit, or no configuration of non-zero amplitude was found.
    BudgetError, MethodError
        If ``method="exact"`` and no cheap way to draw is known.
    RangeError
        If the state, or the sector, is zero.

    Warns
    -----
    SamplingWarning
        If Markov chains stood still or did not mix.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(40, depth=2, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    >>> info = {}
    >>> net.sample(100, seed=0, info=info).shape, info["method"], info["way"]
    ((100, 40), 'exact', 'windows')
    """
    info = check_info(info)
    check_positive_int("n", n, OptionError)
    check_option("method", method, ("auto", "exact", "metropolis"))
    found = read_state(state)
    if found.network is not None:
        check_there(found.network.params.leaves.values(), "sampling")
    sector = check_sector(sector, found.nsites, found.phys_dim)
    if start is not None and method == "exact":
        raise OptionError(
            "start= is where Markov chains begin, and method='exact' has none; leave it out, or "
            "use method='metropolis'."
        )
    if (need := 8 * n * found.nsites) > MAX_BYTES:
        raise BudgetError(
            f"{n} configurations of {found.nsites} sites need {need} bytes, more than the "
            f"{MAX_BYTES} allowed; draw fewer at a time."
        )
    rng = make_rng(seed)
    if method != "metropolis" and start is None:
        exact = _exact(found, sector, method == "exact", progbar)
        if exact is not None:
            way, drawn, hit = exact
            info.update(method="exact", way=way, acceptance=hit, rhat=1.0, autocorrelation=1.0)
            return drawn(n, rng).reshape(n, *found.shape)
    return _by_chains(state, found, n, rng, sector, start, info, progbar)


# ---------------------------------------------------------------- exact


def _exact(
    found: SampledState, sector: int | None, asked: bool, progbar: bool
) -> tuple[str, Draw, float] | None:
    """A way to draw independently: its name, a function, and how many draws hit; None if none.

    Raises
    ------
    BudgetError, MethodError
        If it was asked for, and there is none.
    """
    errors = []
    for way, make in (("windows", _windows), ("dense", _dense), ("mps", _mps)):
        try:
            drawn, hit = make(found, sector, asked, progbar)
            return way, drawn, hit
        except (BudgetError, MethodError, OptionError) as error:
            errors.append(error)
    if asked:
        listed = "\n".join(f"  {error}" for error in errors)
        raise type(errors[-1])(f"no exact way to draw from this state:\n{listed}")
    return None


def _windows(found, sector, asked, progbar):
    if found.network is None or not hasattr(found.network.geometry, "layer_shape"):
        raise MethodError("by windows: the state is not a convolutional network.")
    net = found.network
    prefixes = Prefixes(net, sector, MAX_BYTES if asked else CHEAP, progbar)
    probes = prefixes.draw(PROBED, np.random.default_rng(0))
    check_not_cancelled(net, probes.reshape(-1, *found.shape))
    return prefixes.draw, 1.0


def _dense(found, sector, asked, progbar):
    count = found.phys_dim**found.nsites
    if count > FEW:
        raise BudgetError(
            f"from all amplitudes: there are {found.phys_dim}**{found.nsites} of them, more than "
            f"{FEW}."
        )
    configs = config_block(0, count, (found.nsites,), found.phys_dim).astype(np.int64)
    if sector is not None:
        configs = configs[configs.sum(1) == sector]
    logs = found.evaluate(configs)[1].astype(float)
    if not np.isfinite(logs).any():
        what = "the state" if sector is None else f"its sector={sector}"
        raise RangeError(f"{what} is zero, so there is nothing to draw.")
    if found.network is not None:
        check_not_cancelled(found.network, configs[-PROBED:].reshape(-1, *found.shape))
    weights = np.exp(2 * (logs - logs.max())).cumsum()
    find = lambda u: np.searchsorted(weights, u * weights[-1], "right")
    return lambda n, rng: configs[find(rng.random(n))], 1.0


def _mps(found, sector, asked, progbar):
    if found.network is None:
        raise MethodError("by an MPS: the state no longer holds a network.")
    info: dict[str, Any] = {}
    limit = MAX_BYTES if asked else CHEAP // 4
    mps = to_mps(found.network, info=info, normalize=True, max_bytes=limit, progbar=progbar)
    mps.permute_arrays("lpr")
    cores = [np.asarray(x) for x in mps.to("numpy").arrays]
    cores[0] = cores[0][None]  # the ends have a leg less
    cores[-1] = cores[-1][..., None]
    whole = lambda n, rng: draw(cores, rng, n)[0]
    if sector is None:
        return whole, 1.0
    hit = float((whole(PROBES, np.random.default_rng(0)).sum(1) == sector).mean())
    if hit < MIN_HITS:
        raise MethodError(
            f"by an MPS: of {PROBES} independent draws {hit:.2%} have sector={sector} ones, too "
            "few to wait for."
        )
    return lambda n, rng: _in_sector(whole, n, sector, hit, rng), hit


def _in_sector(whole, n, sector, hit, rng):
    """Draws of so many ones, of which there are about ``hit`` of all: others are thrown away."""
    parts, missing = [], n
    while missing > 0:
        digits = whole(min(2**16, math.ceil(1.2 * missing / hit)), rng)
        parts.append(digits[digits.sum(1) == sector])
        missing -= len(parts[-1])
    return np.concatenate(parts)[:n]


# ---------------------------------------------------------------- chains


def _by_chains(state, found, n, rng, sector, start, info, progbar):
    """Draws of Markov chains, so far apart that they have forgotten each other."""
    chains = max(MIN_CHAINS, min(MAX_CHAINS, n))
    sampler = Metropolis(state, chains, sector=sector, seed=rng, start=start)
    sampler.quiet()
    sweeps, total = PILOT, PILOT
    sampler.sweep(PILOT)
    while True:  # what came before is burn-in
        sampler.forget()
        sampler.sweep(sweeps)
        total += sweeps
        time = sampler.autocorrelation_time
        if sweeps >= min(20 * time, MAX_PILOT):
            break
        sweeps *= 2
    thinning = min(MAX_THINNING, math.ceil(2 * time - 1))
    parts = []
    for _ in progress(range(-(-n // chains)), progbar):
        sampler.sweep(thinning)
        parts.append(sampler.configs)
    total += thinning * len(parts)
    info.update(
        method="metropolis",
        acceptance=sampler.acceptance,
        rhat=sampler.rhat,
        autocorrelation=sampler.autocorrelation_time,
        chains=chains,
        sweeps=total,
        thinning=thinning,
    )
    if found.network is not None:
        check_not_cancelled(found.network, sampler.configs)
    if (doubt := why_doubtful(sampler.rhat, sampler.acceptance, sampler.moved, total)) is not None:
        warnings.warn(
            f"{doubt}; use qdn.Metropolis with start= in all modes of the state, other moves or "
            "more levels.",
            SamplingWarning,
            stacklevel=3,
        )
    return np.concatenate(parts)[:n]
