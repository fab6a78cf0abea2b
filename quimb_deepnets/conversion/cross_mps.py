"""Matrix product states from amplitudes alone, by cross interpolation, with a measured error.

Where no small exact form is known (lattices, RACs of depth 3 and more), a matrix product state is
interpolated through amplitudes on rows and columns that are chosen on the way::

    psi(left, right)  ~  psi(left, J) psi(I, J)^-1 psi(I, right)      at every cut of the chain

    lattice, in snake order     (0,0)--(0,1)--(0,2)
                                                |
                                (1,0)--(1,1)--(1,2)        neighbours in the MPS are neighbours
"""

import math
import warnings

import numpy as np
from autoray import stop_gradient, to_numpy
from quimb.tensor import MatrixProductState

from ..errors import (
    MethodError,
    OptionError,
    RangeError,
    check_info,
    check_positive_int,
    import_extra,
)
from ..jobs.progress import progress_bar
from ..numerics.scaled import array_like
from ..numerics.traced import check_constant
from ..numerics.weights import make_rng
from ..tensors.scale import check_normalize, place_scale
from .cross_error import measured_error

FIRST = 2**11  # random configurations whose largest amplitude sets the scale
WARN = 1e-2  # relative error
ROOM = 300.0  # nats between the scale and the largest amplitude


def cross_mps(
    network,
    max_bond=None,
    cutoff=1e-14,
    info=None,
    site_ind_id="k{}",
    site_tag_id="I{}",
    progbar=False,
    tol=1e-7,
    max_evals=10**6,
    seed=None,
    normalize=False,
):
    """A quimb `MatrixProductState` interpolated through amplitudes of a network.

    Parameters
    ----------
    network : DeepNetwork
        Of real weights.
    max_bond : int, optional
        Stop once a bond is larger, and truncate to this many singular values; by default 64.
    cutoff : float, optional
        Drop singular values below this, relative to the largest of their cut.
    info : dict, optional
        Gets ``"error"``, the relative error measured on fresh configurations, see the notes;
        ``"evaluations"``, how many amplitudes were evaluated; ``"log10_norm"``, of the state before
        it is normalised; ``"order"``, the site of the network at each site of the chain, which is
        snake order on a lattice.
    site_ind_id, site_tag_id : str, optional
        Names of the outer indices and of the site tags, by place in the chain.
    progbar : bool, optional
        Show a progress bar over the sweeps.
    tol : float, optional
        Stop when a sweep changes the state by less than this, relative to its norm.
    max_evals : int, optional
        Stop before more amplitudes are evaluated, not counting those of the error estimate.
    seed : None, int or numpy.random.Generator, optional
    normalize : {False, True, "exponent"}, optional
        Where the norm of the state goes, see `to_mps`.

    Returns
    -------
    MatrixProductState
        Left-canonical, its orthogonality centre on the last site.

    Raises
    ------
    ExtraError
        If teneva is not installed.
    MethodError
        For complex weights and for chains of fewer than 3 sites.
    RangeError
        If every amplitude that was evaluated is zero.
    OptionError
        If an option is not understood.

    Warns
    -----
    RuntimeWarning
        If the measured error is above 0.01.

    Notes
    -----
    Rank-adaptive maximal-volume cross approximation of teneva: Oseledets and Tyrtyshnikov, Linear
    Algebra Appl. 432, 70 (2010); Mikhalev and Oseledets, arXiv:1502.07838. The error is the
    relative distance ``|psi - mps| / |psi|`` as it shows on configurations of three kinds: uniform
    ones, those drawn from the MPS, and those where Markov chains find ``|psi|**2`` large,
    whichever is worst. An interpolation can miss a narrow peak that none of them meets.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.conversion.cross_mps import cross_mps
    >>> net, info = qdn.RBM.rand((2, 3), seed=0), {}
    >>> cross_mps(net, info=info, seed=0).L, info["error"] < 1e-6  # doctest: +SKIP
    (6, True)
    """
    check_normalize(normalize)
    info = check_info(info)
    bond = 64 if max_bond is None else check_positive_int("max_bond", max_bond, OptionError)
    check_positive_int("max_evals", max_evals, OptionError)
    for name, value in (("tol", tol), ("cutoff", cutoff)):
        if not (isinstance(value, (int, float)) and 0 <= value < 1):
            raise OptionError(f"{name}={value!r} is not a relative size; use a float from 0 to 1.")
    rng, teneva = make_rng(seed), _teneva()
    amplitudes = ScaledAmplitudes(network, rng, max_evals)
    with progress_bar(progbar, desc="sweeps") as step:
        cores = _interpolate(teneva, amplitudes, bond, tol, max_evals, rng, step)
    mps = MatrixProductState(
        [_core(core, n, len(cores), network) for n, core in enumerate(cores)],
        shape="lrp",
        site_ind_id=site_ind_id,
        site_tag_id=site_tag_id,
    )
    mps.compress("left", max_bond=bond, cutoff=cutoff, cutoff_mode="rel")
    cores = [_back(mps, n) for n in range(mps.L)]
    norm = float(np.linalg.norm(cores[-1]))
    mps[mps.site_tag(mps.L - 1)].modify(apply=lambda x: x / norm)
    place_scale(mps, amplitudes.scale / math.log(2) + math.log2(norm), normalize, info)
    error = measured_error(cores, amplitudes, rng)
    if error > WARN:
        warnings.warn(
            f"the interpolated MPS has a relative error of {error:.2g}; raise max_bond or "
            "max_evals, or try another seed.",
            RuntimeWarning,
            stacklevel=2,
        )
    info["evaluations"], info["error"] = amplitudes.count, error
    info["order"] = tuple(network.sites[n] for n in amplitudes.order)
    return mps


def _teneva():
    """The library, or an error that says how to install it."""
    return import_extra("to_mps(method='cross')", "cross", "teneva")


class ScaledAmplitudes:
    """Amplitudes of configurations in the order of the chain, divided by ``exp(scale)``."""

    def __init__(self, network, rng, batch):
        if network.dtype.startswith("complex"):
            raise MethodError(
                f"the weights are {network.dtype}, and teneva interpolates real numbers alone; "
                "use method='exact' where it is known, or real weights."
            )
        if network.nsites < 3:
            raise MethodError(
                f"cross interpolation of {network.nsites} sites has nothing to choose; use "
                "method='exact' or to_dense()."
            )
        check_constant(network.params.leaves.values(), "method='cross'")
        self.network, self.order = network, snake(network.geometry.shape)
        self.phys_dim, self.count = network.phys_dim, 0
        self.place = np.argsort(self.order)
        self._evaluator = network._bare().evaluator(batch)
        first = rng.integers(self.phys_dim, size=(FIRST, network.nsites))
        self.scale = self.largest = float(self._logs(first)[1].max())
        if self.scale == -math.inf:
            raise RangeError(
                f"all of {FIRST} random amplitudes are zero, so there is nothing to interpolate; "
                "use method='exact' where it is known."
            )

    def _logs(self, configs):
        """Phases and logarithms, float64, of configurations in the order of the chain."""
        configs = configs[:, self.place].reshape(len(configs), *self.network.geometry.shape)
        values = self._evaluator.log_amplitudes(configs)
        return tuple(np.asarray(to_numpy(stop_gradient(x)), dtype=float) for x in values)

    def scaled(self, configs):
        """Phases and logarithms without the scale."""
        phase, logabs = self._logs(configs)
        return phase, logabs - self.scale

    def __call__(self, configs):
        """The scaled amplitudes, or None if the scale is far too small."""
        phase, logabs = self._logs(np.asarray(configs, dtype=np.int64))
        self.count += len(configs)
        self.largest = max(self.largest, float(logabs.max()))
        if self.largest - self.scale > ROOM:
            return None
        return phase * np.exp(logabs - self.scale)


def snake(shape):
    """Flat places of the sites along a path that turns at the end of each row.

    Examples
    --------
    >>> from quimb_deepnets.conversion.cross_mps import snake
    >>> snake((2, 3)).tolist(), snake((3,)).tolist()
    ([0, 1, 2, 5, 4, 3], [0, 1, 2])
    """
    rows = np.arange(math.prod(shape)).reshape(-1, shape[-1])
    if len(shape) > 1:
        rows[1::2] = rows[1::2, ::-1].copy()
    return rows.reshape(-1)


def _interpolate(teneva, amplitudes, bond, tol, max_evals, rng, step):
    """Cores ``(l, p, r)``, again with a larger scale where amplitudes outgrow it."""
    sites = [amplitudes.phys_dim] * len(amplitudes.order)

    def _stop(cores, state, opts):
        step()
        return max(core.shape[0] for core in cores) > bond

    while True:
        state = {}
        cores = teneva.cross(
            amplitudes,
            teneva.rand(sites, 2, seed=rng),
            m=max(1, max_evals - amplitudes.count),
            e=tol,
            info=state,
            cb=_stop,
        )
        if state["stop"] != "func":
            return cores
        amplitudes.scale = amplitudes.largest


def _core(core, n, sites, network):
    """A core ``(l, p, r)`` as quimb takes it, ``(l, r, p)``, where the weights are."""
    x = np.ascontiguousarray(core.transpose(0, 2, 1))
    x = x[0] if n == 0 else x[:, 0] if n == sites - 1 else x
    return array_like(x, network._like)


def _back(mps, n):
    """The tensor of a site as a core ``(l, p, r)``."""
    t = mps[n]
    inds = [*([mps.bond(n - 1, n)] if n else []), mps.site_ind(n)]
    inds += [mps.bond(n, n + 1)] if n < mps.L - 1 else []
    x = to_numpy(t.transpose(*inds).data)
    x = x if n else x[None]
    return x if n < mps.L - 1 else x[..., None]
