"""The energy of a network by three ways that agree.

::

    "full"     all configurations, or all of a sector       few sites
    "exact"    contraction: chains, rings, small windows     any number of sites, no error
    "sample"   Metropolis samples of |psi|^2                 anything, with an error bar
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..conversion.transfer_states import has_transfer, transfer_of
from ..errors import (
    BudgetError,
    MethodError,
    OptionError,
    RangeError,
    check_option,
    check_positive_int,
)
from ..exact.transfer_energy import TransferEnergy
from ..exact.transfer_routes import planned_transfer, transfer_cost
from ..exact.transfer_variance import TransferVariance
from ..networks import DeepNetwork
from ..numerics.traced import check_constant
from ..numerics.weights import MAX_BYTES
from ..tensors.amplitudes import StateAmplitudes
from .chain import chain_moments
from .full import full_state
from .operators import FlipMasks
from .preparation import as_network
from .reading import inherited_sector
from .sampled import SampledEnergy, sampled_energy
from .sectors import check_conserved, check_sector, sector_size
from .shards import check_executor
from .windows import WindowSums

FEW = 2**16  # configurations that are all summed over
MAX_BOND = 256  # of a matrix product state between which operators are put
ASKED = "as asked for"
VARIANCE_SAMPLES = 2**11  # where an exact variance is too dear
LEAST = 1e-146  # of energies whose squares floats hold to round-off

_ATTRIBUTES = ("error", "variance", "vscore", "method", "reason", "samples", "rhat", "acceptance")


class Energy(float):
    """An energy, a float, and how well it is known.

    Attributes
    ----------
    error : float
        Standard error; 0 where nothing was sampled.
    variance : float
        ``<H^2> - <H>^2``, 0 for an eigenstate.
    vscore : float
        ``N variance / (energy - E0)^2``, E0 the mean of all eigenvalues (Wu et al., Science 386,
        296): comparable between models and sizes, 0 for an eigenstate. It is nan for operators
        so small that floats do not hold the variance.
    method : {"full", "exact", "sample"}
        How it was computed.
    reason : str
        Why so, in words.
    samples : int
        Configurations that were drawn, 0 without sampling.
    rhat, acceptance : float
        Of the chains, nan without sampling.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> H = qu.operator.heisenberg_from_edges([(0, 1), (1, 2), (2, 3)])
    >>> E = qdn.energy(qdn.RBM.rand(4, scale=0, seed=0), H)
    >>> round(E, 12), E.method, round(E.variance, 12) + 0.0
    (0.75, 'full', 0.0)
    """

    error: float
    variance: float
    vscore: float
    method: str
    reason: str
    samples: int
    rhat: float
    acceptance: float

    def __new__(
        cls,
        value: float,
        error: float = 0.0,
        variance: float = math.nan,
        vscore: float = math.nan,
        method: str = "",
        reason: str = "",
        samples: int = 0,
        rhat: float = math.nan,
        acceptance: float = math.nan,
    ) -> "Energy":
        self = super().__new__(cls, value)
        given = (error, variance, vscore, method, reason, samples, rhat, acceptance)
        for name, x in zip(_ATTRIBUTES, given):
            setattr(self, name, x)
        return self

    def __getnewargs__(self) -> Any:
        return (float(self), *(getattr(self, name) for name in _ATTRIBUTES))

    def __repr__(self) -> str:
        error = f" +- {self.error:.2g}" if self.error else ""
        chains = f", rhat={self.rhat:.3f}, samples={self.samples}" if self.error else ""
        return (
            f"Energy({float(self):.10g}{error}, variance={self.variance:.4g}, "
            f"vscore={self.vscore:.3g}, method={self.method!r}{chains})"
        )


class _EnergyProblem(NamedTuple):
    """A checked question: network, operator, number of ones, and how to sample."""

    net: Any
    H: FlipMasks
    sector: int | None
    samples: int
    seed: Any
    progbar: bool
    executor: Any


def energy(
    net: Any,
    H: Any,
    method: str = "auto",
    sector: int | None = None,
    sign_rule: Any = None,
    samples: int = 2**12,
    seed: Any = None,
    progbar: bool = False,
    executor: Any = None,
) -> Energy:
    """The energy of a network, ``<psi|H|psi> / <psi|psi>``.

    Parameters
    ----------
    net : DeepNetwork, RecursiveTree, RecursiveMPS, CollapsedVector or torch.nn.Module
        Of a module see `TorchNetwork`. It need not be normalised.
    H : SparseOperatorBuilder, LocalHam1D, LocalHam2D, LocalHamGen, MatrixProductOperator or dict
        A Hermitian operator, on sites of the network by name; a dict goes from sites to matrices,
        as in ``{(0, 1): G}``.
    method : {"auto", "full", "exact", "sample"}, optional
        Sum over all configurations, contract, or sample; by default the first of them that is
        affordable, which `Energy.method` and `Energy.reason` tell.
    sector : int, optional
        Only configurations with so many ones, by default those of the Hilbert space of H.
    sign_rule : None, "marshall" or sequence of sites, optional
        The amplitudes are those in the basis ``(-1)**(ones on these sites) |s>``. For
        ``"marshall"`` the sites are one of two sublattices.
    samples : int, optional
        How many configurations to draw, where it samples.
    seed : None, int or numpy.random.Generator, optional
    progbar : bool, optional
        Show a progress bar over the shards of chains.
    executor : optional
        Who samples, in shards of chains, as `contract_sliced` takes it; the energy does not
        depend on it.

    Returns
    -------
    Energy
        A float with ``error``, ``variance``, ``vscore``, ``method`` and ``reason``.

    Raises
    ------
    SitesError
        If H acts on sites that the network does not have.
    OptionError
        If H is of another kind, not Hermitian, or leaves the sector, or an option is not known.
    BudgetError, MethodError
        If the method is too dear, or the family of the network has none of that kind.
    RangeError, ConfigError
        If the state vanishes in the sector.

    Warns
    -----
    SamplingWarning
        If chains stood still or did not mix.

    Notes
    -----
    Exact energies of chains come from matrix product states, where their bonds are small, else
    from contractions of windows. There the variance of a large operator may be too dear: it is
    then sampled, and `Energy.reason` says so. Sampled variances leave out configurations of
    amplitude zero that H leads to.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> H = qu.operator.heisenberg_from_edges(qtn.edges_1d_chain(40, cyclic=True))
    >>> net = qdn.ConvAC.rand(40, depth=2, kernel=2, bond_dim=2, boundary="periodic",
    ...                       dist="uniform", loc=1.0, scale=0.1, seed=0)
    >>> exact = qdn.energy(net, H, sign_rule="marshall")
    >>> exact.method, exact.error
    ('exact', 0.0)
    >>> sampled = qdn.energy(net, H, "sample", sign_rule="marshall", seed=0)
    >>> abs(sampled - exact) < 4 * sampled.error
    True
    """
    check_option("method", method, ("auto", *_METHODS))
    check_positive_int("samples", samples, OptionError)
    check_executor(executor, method)
    net = _network(as_network(net, H))
    masks = FlipMasks(H, net.sites, net.phys_dim, sign_rule)
    masks.check_hermitian()
    sector = check_sector(
        inherited_sector(H) if sector is None else sector, net.nsites, net.phys_dim
    )
    if sector is not None:
        check_conserved(masks, sector)
    problem = _EnergyProblem(net, masks, sector, samples, seed, progbar, executor)
    return _cheapest(problem) if method == "auto" else _METHODS[method](problem, ASKED)


def energy_of(
    net: Any, H: FlipMasks, sector: int | None, method: str, samples: int = 2**12, seed: Any = None
) -> Energy:
    """The energy of what was checked already, see `energy`."""
    return _METHODS[method](_EnergyProblem(net, H, sector, samples, seed, False, None), ASKED)


def _network(net):
    """The network whose amplitudes are meant."""
    network = net._held_network() if isinstance(net, StateAmplitudes) else net
    if isinstance(network, DeepNetwork):
        check_constant(network.params.leaves.values(), "energy")
        return network._bare()
    raise MethodError(
        f"energy needs a network, and a {type(net).__name__} holds none (any more); give a ConvAC, "
        "RAC, RBM or another DeepNetwork, or use compute_local_expectation_exact of the state."
    )


def _cheapest(problem):
    """The first method that is affordable."""
    net, sector = problem.net, problem.sector
    count = sector_size(net.nsites, net.phys_dim, sector)
    if count <= FEW:
        return _full(problem, f"there are only {count} configurations")
    try:
        return _exact(problem, f"{count:.3g} configurations are too many to sum over")
    except (BudgetError, MethodError, OptionError, RangeError) as error:
        why = str(error).split(";")[0]
    return _sample(problem, f"neither a sum over {count:.3g} configurations nor exact: {why}")


def _energy(problem, value, variance, method, reason, **sampled):
    """An energy with its V-score."""
    value, variance = float(value), float(variance)
    variance = 0.0 if variance < 0 else variance  # by round-off; nan stays
    vscore = vscore_of(problem.H, value, variance)
    return Energy(value, variance=variance, vscore=vscore, method=method, reason=reason, **sampled)


def vscore_of(H: FlipMasks, value: float, variance: float) -> float:
    """The V-score of an energy, see `Energy`; nan where floats do not hold the variance.

    Parameters
    ----------
    H : FlipMasks
    value, variance : float
    """
    distance = value - float(np.real(H.mean_diagonal))
    if not distance:
        return math.inf if variance else 0.0
    if abs(distance) < LEAST:
        return math.nan
    ratio = math.sqrt(variance) / distance  # whose square may leave the range of floats
    return H.nsites * ratio * ratio


def _full(problem, reason):
    state = full_state(problem.net, problem.H, problem.sector)
    return _energy(problem, state.mean.real, state.variance, "full", reason)


def _exact(problem, reason):
    mean, variance, how = exact_moments(problem.net, problem.H, problem.sector)
    if variance is None:
        found = _sampled(problem._replace(samples=min(problem.samples, VARIANCE_SAMPLES)))
        variance, how = found.variance, f"{how}; the variance comes from {found.samples} samples"
    return _energy(problem, mean, variance, "exact", f"{reason}; {how}")


def _sample(problem, reason):
    found = _sampled(problem)
    return _energy(
        problem, found.mean, found.variance, "sample", reason, error=found.error,
        samples=found.samples, rhat=found.rhat, acceptance=found.acceptance,
    )  # fmt: skip


def _sampled(problem) -> SampledEnergy:
    net, H, *options = problem
    return sampled_energy(net, H, *options)


_METHODS = {"full": _full, "exact": _exact, "sample": _sample}


def exact_moments(
    net: Any, H: FlipMasks, sector: int | None = None
) -> tuple[float, float | None, str]:
    """The mean and the variance of an operator by contraction, and how.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
        Hermitian; keeps the sector.
    sector : int, optional
        A number of ones.

    Returns
    -------
    mean : float
    variance : float or None
        None if it is too dear.
    how : str

    Raises
    ------
    BudgetError, OptionError
        If it is too dear, or the family of the network has no collapsed form.
    """
    if _has_small_bonds(net):
        try:
            return *chain_moments(net, H, sector), "between two exact matrix product states"
        except (BudgetError, MethodError):
            pass
    mean, variance = WindowSums(net).moments(H, sector)
    how = "contractions of the collapsed network"
    if variance is None and sector is None:
        variance = _ring_variance(net, H)
        how += ", the variance by transfer matrices" * (variance is not None)
    return mean, variance, how


def _ring_variance(net, H):
    """The variance of an operator that repeats around a ring of shared weights, else None."""
    planned = planned_transfer(net)
    if planned is None or not planned.sites.ring:
        return None
    if transfer_cost(planned.sites, planned.pairs, planned.like).bytes > MAX_BYTES:
        return None
    try:
        prepared = TransferVariance(TransferEnergy(net.geometry, H._terms))
    except MethodError:
        return None
    return max(0.0, float(np.real(prepared.variance(net))))


def _has_small_bonds(net):
    """Whether a chain has an exact matrix product state of small bonds."""
    if net.geometry.ndim != 1 or not has_transfer(net):
        return False
    try:
        return max(transfer_of(net).bounds()) <= MAX_BOND
    except MethodError:
        return False
