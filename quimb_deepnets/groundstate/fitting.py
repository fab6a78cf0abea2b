"""Fits: a network that is as close as can be to any state.

::

    net, target --> -log |<target|psi>|^2 / norms --L-BFGS--> net'      again and again
                    all amplitudes, windows contracted with the target's tensors, or samples
"""

import math
import time
from typing import Any, NamedTuple

import numpy as np
from autoray import to_numpy

from ..errors import (
    BudgetError,
    MethodError,
    OptionError,
    RangeError,
    check_option,
    check_positive_int,
)
from ..jobs.progress import progress_bar
from ..networks import DeepNetwork
from ..numerics.shown import Shown
from ..numerics.traced import check_constant
from ..numerics.weights import make_rng
from .full import FullOperator
from .lbfgs import QuasiNewton, Remembered
from .operators import FlipMasks
from .overlaps import Overlap
from .points import AmplitudeGradients, network_at
from .preparation import positive
from .sampled_fit import SampledLoss
from .sectors import sector_size
from .targets import Target
from .window_energy import WindowGradients

FEW = 2**16  # configurations that are all summed over
SHAKE, TRIES = 1e-2, 4  # of the size of the weights, where a start is orthogonal to the target
STALLED = 20  # steps whose gain is compared with the tolerance
HISTORY = np.dtype([("step", np.int64), ("fidelity", np.float64), ("seconds", np.float64)])


class Fit(Shown):
    """A network that was fitted, and how well.

    Attributes
    ----------
    network : DeepNetwork
    fidelity : float
        ``|<target|psi>|^2 / (<target|target> <psi|psi>)``, 1 for equal states.
    error : float
        Its statistical error; 0 without sampling.
    method : {"full", "exact", "sample"}
    history : numpy.ndarray
        One record for each step: step, fidelity, seconds.
    steps : int
    seconds : float

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RAC.rand(4, depth=1, bond_dim=1, loc=1.0, scale=0.1, seed=0)
    >>> found = qdn.fit(net, np.ones(16))
    >>> found.steps > 0, round(found.fidelity, 6)
    (True, 1.0)
    """

    def __init__(
        self, network: Any, fidelity: float, error: float, method: str, history: np.ndarray
    ) -> None:
        self.network, self.fidelity, self.error, self.method = network, fidelity, error, method
        self.history = history
        self.history.flags.writeable = False

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """How long they took."""
        return float(self.history["seconds"][-1]) if self.steps else 0.0

    def __repr__(self) -> str:
        error = f" +- {self.error:.2g}" if self.error else ""
        return (
            f"Fit(fidelity={self.fidelity:.10g}{error}, steps={self.steps}, "
            f"seconds={self.seconds:.1f}, method={self.method!r}, network={self.network!r})"
        )


def fit(
    net: Any,
    target: Any,
    method: str = "auto",
    tol: float = 1e-9,
    steps: int = 1000,
    seconds: float | None = None,
    sign_rule: Any = None,
    seed: Any = None,
    progbar: bool = False,
    samples: int = 2**12,
) -> Fit:
    """Fit a network to a state: the parameters of largest fidelity.

    Parameters
    ----------
    net : DeepNetwork
        Where to begin; it stays as it is.
    target : DeepNetwork, quimb.tensor.TensorNetworkGenVector or array_like
        A network, an MPS, PEPS or other tensor network on the same sites, or all amplitudes.
    method : {"auto", "full", "exact", "sample"}, optional
        Sum over all configurations, contract the windows of the network with the target, or draw
        samples of the target, which then is a network, a `MatrixProductState` or a vector; by
        default the first of them that is affordable.
    tol : float, optional
        End when twenty steps raise the logarithm of the fidelity by less.
    steps : int, optional
        At most so many, of L-BFGS.
    seconds : float, optional
        Begin no step after so long.
    sign_rule : None or sequence of sites, optional
        The amplitudes of the network are those in the basis ``(-1)**(sum of digits on these sites)
        |s>``, see `GroundState`. A target that is a network is read in the same basis.
    seed : None, int or numpy.random.Generator, optional
        Of the small random changes by which a start that is orthogonal to the target is moved, and
        of samples.
    progbar : bool, optional
    samples : int, optional
        How many to draw, where it samples; wisely more than the network has parameters.

    Returns
    -------
    Fit
        With ``network``, ``fidelity``, ``history``, ``steps`` and ``seconds``.

    Raises
    ------
    SitesError, OptionError
        If the target is on other sites, of another kind or local dimension, or an option is not
        understood.
    BudgetError
        If the method takes too much memory or time.
    RangeError
        If a state vanishes, or the start stays orthogonal to the target.
    ExtraError
        If torch is not installed, which ``method="exact"`` needs.

    Notes
    -----
    What is made smaller is minus the logarithm of the fidelity, which has a slope however far the
    start is away. Ctrl-C ends the fit with what was reached. Samples are drawn once, so that steps
    see no noise; their fidelities, those of `Fit.history`, may be too high, where parameters learn
    the samples. `Fit.fidelity` comes from fresh samples of both states.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> ground = qu.groundstate(qu.ham_ising(8, jz=1.0, bx=1.0, cyclic=True))
    >>> net = qdn.ConvAC.rand(8, depth=2, kernel=2, bond_dim=2, boundary="periodic",
    ...                       dist="uniform", loc=1, scale=0.1, seed=0)
    >>> qdn.fit(net, ground).fidelity > 0.99
    True
    """
    if not isinstance(net, DeepNetwork):
        raise OptionError(
            f"a {type(net).__name__} is not a network; give a ConvAC, RAC or RBM, of an expanded "
            "state its .network."
        )
    check_constant(net.params.leaves.values(), "fit")
    check_option("method", method, ("auto", "full", "exact", "sample"))
    steps = check_positive_int("steps", steps, OptionError)
    seconds = math.inf if seconds is None else positive("seconds", seconds)
    tol, net = positive("tol", tol), net._bare()
    check_positive_int("samples", samples, OptionError)
    rng = make_rng(seed)
    method, way = _way(method, net, Target(target, net, sign_rule), samples, rng)
    loss = Remembered(way)
    theta = to_numpy(net.vector)
    theta = theta.astype(np.result_type(theta.dtype, np.float64))
    theta = _begun(loss, theta, rng)
    run = _steps(loss, theta, tol, steps, seconds, progbar)
    reached = math.exp(-run.value), 0.0
    if isinstance(way, SampledLoss):
        reached = way.fidelity(run.theta)
    return Fit(network_at(net, run.theta), *reached, method, np.array(run.records, HISTORY))


def _way(method, net, target, samples, rng):
    """A method and its loss, the first that is affordable where none is asked for."""
    sample = lambda: SampledLoss(net, target, samples, rng)
    ways = {"full": lambda: _FullLoss(net, target), "exact": lambda: _WindowLoss(net, target)}
    if method != "auto":
        return method, (ways | {"sample": sample})[method]()
    if sector_size(net.nsites, net.phys_dim, None) <= FEW:
        return "full", ways["full"]()
    try:
        return "exact", ways["exact"]()
    except (BudgetError, MethodError) as error:
        try:
            return "sample", sample()
        except OptionError:
            raise error from None


class _FitRun(NamedTuple):
    """Where steps ended."""

    theta: np.ndarray
    value: float
    records: list[tuple[int, float, float]]


def _begun(loss, theta, rng):
    """A start whose overlap with the target is not zero."""
    for _ in range(TRIES):
        if math.isfinite(loss(theta)[0]):
            return theta
        noise = rng.normal(size=theta.shape)
        theta = theta + SHAKE * math.sqrt(np.mean(abs(theta) ** 2)) * noise
    raise RangeError(
        "the network stays orthogonal to the target, where the slope of the fidelity vanishes; "
        "begin with other weights, or complex ones."
    )


def _steps(loss, theta, tol, steps, seconds, progbar):
    """Steps of L-BFGS until nothing is gained."""
    optimizer, clock, found = QuasiNewton(), time.monotonic(), loss(theta)
    memory: dict[str, Any] = {}
    records: list[tuple[int, float, float]] = []
    values = [found[0]]

    def evaluate(x):
        """The loss, infinite where numbers leave the range of floats."""
        try:
            return loss(x)
        except RangeError:
            return math.inf, np.zeros_like(x)

    try:
        with progress_bar(progbar, total=steps) as shown:
            while len(records) < steps and time.monotonic() - clock < seconds:
                update = optimizer.update(theta, found, len(records), memory, evaluate)
                stopped = not memory and not update.memory
                theta, memory = update.theta, update.memory
                found = loss(theta)
                values.append(found[0])
                fidelity = math.exp(-found[0])
                records.append((len(records), fidelity, time.monotonic() - clock))
                shown(f"fidelity {fidelity:.10g}")
                gained = values[-STALLED - 1] - values[-1] if len(values) > STALLED else math.inf
                if stopped or gained < tol:
                    break
    except KeyboardInterrupt:
        pass  # what was reached counts
    return _FitRun(theta, values[len(records)], records)


class _FullLoss:
    """Minus the logarithm of the fidelity from all amplitudes."""

    def __init__(self, net, target):
        nothing = FlipMasks({net.sites[0]: np.eye(net.phys_dim)}, net.sites, net.phys_dim)
        operator = FullOperator(net, nothing)
        self.target = target.amplitudes(operator)
        self.amplitudes = AmplitudeGradients(net, operator)

    def __call__(self, theta):
        state, gradient = self.amplitudes.at(theta)
        overlap = complex(np.vdot(self.target, state.psi))
        if not overlap:
            return math.inf, np.zeros_like(theta)
        slope = 2 * (state.psi - overlap * self.target / abs(overlap) ** 2)
        return -2 * math.log(abs(overlap)), gradient(slope)


class _WindowLoss:
    """Minus the logarithm of the fidelity from windows."""

    def __init__(self, net, target):
        self.windows = WindowGradients(net, "a fit by contraction")
        self.sums = self.windows.sums
        self.norm = self.sums.prepared([])
        self.overlap = Overlap(self.sums, target)

    def __call__(self, theta):
        arrays, gradient = self.windows.at(theta)
        run = self.sums.run(self.norm.recipe, arrays)
        norm, exponent = float(run.values[self.norm.norm].real), run.exponents[self.norm.norm]
        if not norm > 0:
            raise RangeError("the state vanishes; begin with other weights.")
        found = self.overlap.fidelity(arrays, norm, exponent)
        if found.log == -math.inf:
            return math.inf, np.zeros_like(theta)
        back = [np.zeros_like(x) for x in arrays]
        self.overlap.pulled_back(found, -1.0, back)
        self.sums.pulled_back(run.pulled_back({self.norm.norm: 1 / norm}), back)
        return -found.log, gradient(back)
