"""Ground states: a network, an operator, and steps until the energy stops falling.

::

    net, H --> chains --> local energies, derivatives --> step --> new net
                 ^                                                   |
                 +----------------- again and again -----------------+      checkpoint, history

    then fresh samples of the last network say what was reached: energy, error, variance
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from autoray import get_dtype_name, to_numpy

from ..errors import ConfigError, OptionError, RangeError, check_option, check_positive_int
from ..jobs.progress import progress_bar
from ..networks import DeepNetwork
from ..numerics.scaled import array_like
from ..numerics.shown import Shown
from ..numerics.weights import make_rng
from .batches import draw, full_estimate, sampled_estimate
from .checkpoint import RunState, digest_of, read_checkpoint, write_checkpoint
from .energies import Energy
from .history import RECORD, has_jumped, has_stalled, progress_text, record_of, with_error
from .lbfgs import QuasiNewton
from .measure import DRAWS, measure_full, measure_samples
from .operators import FlipMasks
from .optimizers import make_optimizer
from .picture import plot_run
from .preparation import check_real, check_spread, energy_scale, sign_sites
from .reading import inherited_sector
from .sectors import check_conserved, check_sector

STEPS = 300  # where neither steps nor seconds are given
BURN_IN = 16  # sweeps before the first step; later steps begin where the last one ended
RISE, MOST = 100, 4  # steps after which samples rise by as many as there were, and up to so often
WRITE_EVERY = 5.0  # seconds
MAX_FAILURES = 10
FINAL = 16  # as many samples as of a step, after the last one
RESERVE = 0.05  # of the seconds, for the samples after the last step


class GroundState(Shown):
    """A network on its way to the ground state of an operator.

    Parameters
    ----------
    net : ConvAC, RAC, RBM or another DeepNetwork
        Where to begin; it stays as it is. Near-uniform weights are a wise start, such as
        ``ConvAC.rand(..., dist="uniform", loc=1, scale=0.05)``: random deep polynomials have nodes
        and amplitudes of very different size, from which samples lead nowhere.
    H : quimb.operator.SparseOperatorBuilder, LocalHam1D, LocalHam2D, LocalHamGen or dict
        A Hermitian operator on the sites of the network; a dict is ``{where: matrix}``.
    sector : int, optional
        A number of ones that H keeps: configurations of other numbers have no part in the state.
        By default that of the Hilbert space of H.
    sign_rule : None, "marshall" or sequence of sites, optional
        Look for the state in the basis ``(-1)**(sum of digits on these sites) |s>``.
    method : {"sample", "full"}, optional
        Where energies come from: Markov chains, or all configurations of the sector.
    optimizer : {"auto", "sr", "adam", "sgd", "lbfgs"}, optional
        ``"auto"`` is ``"sr"``, stochastic reconfiguration, which solves for parameters or for
        samples, whichever are fewer. ``"lbfgs"`` needs ``method="full"``.
    optimizer_opts : dict, optional
        Arguments of `NaturalGradient`, `Adam`, `Descent` or `QuasiNewton`, such as
        ``{"learning_rate": 0.02}``.
    samples : int, optional
        Of each of the first hundred steps; after them they rise, up to four times as many.
    chains : int, optional
        Independent Markov chains.
    seed : None, int or numpy.random.Generator, optional
        Equal seeds give equal runs, however these are cut into calls of `run`.

    Attributes
    ----------
    history : numpy.ndarray
        One record for each step, see `history`.

    Raises
    ------
    SitesError
        If H is on other sites.
    OptionError
        If H is not Hermitian or leaves the sector, if real weights are asked for a complex state,
        or an option is not understood.
    ConfigError
        If no configuration of non-zero amplitude was found.

    Warns
    -----
    SamplingWarning
        If amplitudes of random configurations differ so much that samples will see few of them.

    Notes
    -----
    Steps are bounded in the Fubini-Study metric, local energies are clipped at eight median
    deviations (for the step alone, never in an energy that is reported), and a step that leads to
    numbers out of range, or raises the energy by more than its length allows, is taken back by
    half. Energies that are reported come from fresh samples of the network as it is after the last
    step, never from the lowest step of the history.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> H = {(i, (i + 1) % 6): qu.ham_heis(2) for i in range(6)}
    >>> layers = [qdn.GCLayer(3, 4), qdn.GCLayer(2, 2)]
    >>> start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05}
    >>> net = qdn.ConvAC.rand(6, layers=layers, seed=0, **start)
    >>> gs = qdn.GroundState(net, H, sector=3, sign_rule="marshall", method="full", seed=0)
    >>> gs = gs.run(steps=60, progbar=False)
    >>> round(gs.energy, 3), gs.error  # the exact energy is -2.8028
    (-2.803, 0.0)
    """

    def __init__(
        self,
        net: Any,
        H: Any,
        sector: int | None = None,
        sign_rule: Any = None,
        method: str = "sample",
        optimizer: str = "auto",
        optimizer_opts: Mapping[str, float] | None = None,
        samples: int = 2**10,
        chains: int = 2**8,
        seed: Any = None,
    ) -> None:
        if not isinstance(net, DeepNetwork):
            raise OptionError(
                f"a {type(net).__name__} is not a network; give a ConvAC, RAC or RBM, of an "
                "expanded state its .network."
            )
        check_option("method", method, ("sample", "full"))
        self._given = net._bare()
        self._sign_rule, self._method = sign_sites(H, net, sign_rule), method
        self._H = FlipMasks(H, net.sites, net.phys_dim, self._sign_rule)
        self._H.check_hermitian()
        sector = inherited_sector(H) if sector is None else sector
        self._sector = check_sector(sector, net.nsites, net.phys_dim)
        if self._sector is not None:
            check_conserved(self._H, self._sector)
        check_real(self._given, self._H)
        self._optimizer = make_optimizer(optimizer, optimizer_opts, method != "sample")
        self._chains = check_positive_int("chains", chains, OptionError)
        samples = check_positive_int("samples", samples, OptionError)
        self._draws = max(1, -(-samples // self._chains))
        self._scale = energy_scale(self._H)
        self._start(seed)

    def _start(self, seed):
        """The state before the first step."""
        rng = make_rng(seed)
        whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
        self._seed = int(seed) if whole else None
        rng = np.random.Generator(np.random.PCG64(rng.integers(2**63, size=4)))
        if self._method == "sample":
            check_spread(self._given, self._sector, self._H.phys_dim)
        theta = to_numpy(self._given.vector)
        theta = theta.astype(np.result_type(theta.dtype, np.float64))
        none = np.zeros((0, self._H.nsites), np.int8)
        self._state = RunState(0, theta, theta, none, _json_of(rng), {}, np.zeros(0, RECORD))
        self._found: Energy | None = None

    # ------------------------------------------------------------ what was reached

    @property
    def network(self) -> Any:
        """The network with the parameters that were reached."""
        return self._network(self._state.theta)

    @property
    def history(self) -> np.ndarray:
        """One record for each step, a structured array.

        Columns are step, energy, error, variance, samples, acceptance, rhat, length (of the step,
        in the Fubini-Study metric), seconds, and cloud: a few local energies, for pictures.
        """
        history = self._state.history.view()
        history.flags.writeable = False
        return history

    @property
    def _result(self):
        if self._found is None:
            self._found = self.measure()["energy"]
        return self._found

    @property
    def energy(self) -> Energy:
        """The energy of `network`, from fresh samples or all configurations."""
        return self._result

    @property
    def error(self) -> float:
        """The statistical error of `energy`; 0 without sampling."""
        return self._result.error

    @property
    def variance(self) -> float:
        """The variance ``<H^2> - <H>^2``, zero for eigenstates."""
        return self._result.variance

    @property
    def vscore(self) -> float:
        """The V-score ``N variance / (energy - E0)^2``, see `Energy`."""
        return self._result.vscore

    def __repr__(self) -> str:
        net, taken = self._given, self._state.step
        title = f"GroundState of {net!r}, {self._method}, {self._optimizer.name}, {taken} steps"
        if self._found is None:
            return f"{title}; not measured yet"
        found, N = self._found, self._H.nsites
        lines = [
            ("E/N", with_error(found / N, found.error / N)),
            ("E", with_error(float(found), found.error)),
            ("variance/N", f"{found.variance / N:.4g}"),
            ("V-score", f"{self.vscore:.3g}"),
        ]
        if self._method == "sample":
            lines.append(("acceptance", f"{found.acceptance:.2f}"))
            lines.append(("R-hat", f"{found.rhat:.3f}"))
            lines.append(("samples", f"{found.samples}"))
        lines.append(("parameters", f"{net.num_params}"))
        lines.append(("seconds", f"{self._state.seconds:.1f}"))
        return "\n".join((title, *(f"  {name:<11} {text}" for name, text in lines)))

    # ------------------------------------------------------------ steps

    def run(
        self,
        steps: int | None = None,
        seconds: float | None = None,
        checkpoint: Any = None,
        callback: Callable[[Any], Any] | None = None,
        progbar: bool = True,
        patience: int | None = None,
    ) -> "GroundState":
        """Take steps, then measure what was reached.

        Parameters
        ----------
        steps : int, optional
            How many; by default 300, or as many as ``seconds`` allow.
        seconds : float, optional
            Begin no step after so long.
        checkpoint : str or path, optional
            An ``.npz`` file that is written every few seconds, and gone on from if it is there:
            its steps and seconds count. A run that was killed takes the very steps that it would
            have taken.
        callback : callable, optional
            Called with this object after each step; where it returns True, the run ends.
        progbar : bool, optional
        patience : int, optional
            End when the mean energy of so many steps is not below that of as many before.

        Returns
        -------
        GroundState
            Itself.

        Raises
        ------
        OptionError
            If the checkpoint is torn or was written for another problem.
        RangeError
            If ten steps in a row led to numbers out of range.

        Notes
        -----
        Ctrl-C ends the steps, and what was reached is measured.
        """
        steps = None if steps is None else check_positive_int("steps", steps, OptionError)
        patience = patience and check_positive_int("patience", patience, OptionError)
        seconds = math.inf if seconds is None else _positive("seconds", seconds)
        if steps is None and seconds == math.inf:
            steps = STEPS
        begun, spent = self._state.step, self._state.seconds
        if checkpoint is not None:
            self._go_on_from(checkpoint)
        goal = math.inf if steps is None else begun + steps
        limit = spent + seconds * (1 - RESERVE)
        written, done = -math.inf, lambda: self._state.step >= goal or self._state.seconds >= limit
        try:
            with progress_bar(progbar, total=steps, initial=self._state.step - begun) as shown:
                while not done():
                    self._advance()
                    shown(progress_text(self._state.history, self._H.nsites))
                    if checkpoint is not None and time.monotonic() > written + WRITE_EVERY:
                        write_checkpoint(checkpoint, self._problem(), self._state)
                        written = time.monotonic()
                    history = self._state.history
                    if callback is not None and callback(self) is True:
                        break
                    if patience and has_stalled(history["energy"], history["error"], patience):
                        break
        except KeyboardInterrupt:
            pass  # the state is that after the last whole step
        if checkpoint is not None:
            write_checkpoint(checkpoint, self._problem(), self._state)
        self._found = self.measure()["energy"]
        return self

    def _go_on_from(self, checkpoint):
        """Take the state of a file, unless this object is further."""
        found = read_checkpoint(checkpoint, self._problem())
        if found is not None and found.step > self._state.step:
            self._state, self._found = found, None

    def _problem(self):
        """What a checkpoint is of, as JSON has it."""
        net, sites = self._given, self._sign_rule
        return {
            "network": type(net).__name__,
            "geometry": repr(net.geometry),
            "dtype": net.dtype,
            "H": digest_of(self._H),
            "sector": self._sector,
            "sign_rule": None if sites is None else sorted(map(str, sites)),
            "method": self._method,
            "optimizer": [self._optimizer.name, dict(vars(self._optimizer))],
            "samples": self._draws * self._chains,
            "chains": self._chains,
            "seed": self._seed,
        }

    def _network(self, theta):
        """The network with these parameters, in the dtype, library and place of the one given."""
        like = self._given.vector
        return self._given.with_vector(array_like(theta.astype(get_dtype_name(like)), like))

    def _estimate(self, theta, rng):
        """Energy and batch at these parameters; chains move on."""
        net = self._network(theta)
        real = not np.iscomplexobj(theta)
        if self._method == "full":
            found = full_estimate(net.evaluator(), self._H, self._sector, real)
        else:
            state = self._state
            rise = min(MOST, 1 + max(0, state.step - RISE) / RISE)
            begin = not len(state.configs)
            configs = None if begin else state.configs
            draws = round(self._draws * rise)
            evaluator = net.evaluator(batch=draws * self._chains)
            burn_in = BURN_IN if begin else 0
            drawn = draw(evaluator, self._sector, configs, self._chains, draws, burn_in, rng)
            found = sampled_estimate(evaluator, self._H, drawn, real)
        if not (math.isfinite(found.energy) and math.isfinite(found.variance)):
            raise RangeError("an energy is not finite.")
        scaled = found.batch._replace(energies=found.batch.energies / self._scale)
        return found._replace(batch=scaled)

    def _advance(self):
        """One step; the state changes at its end, or not at all."""
        state, clock = self._state, time.monotonic()
        rng = _generator(state.generator)
        try:
            found = self._estimate(state.theta, rng)
            if has_jumped(state.history, found) and state.failures < MAX_FAILURES:
                raise RangeError("the energy jumped.")
        except (RangeError, ConfigError) as error:
            self._state = self._half_back(state, error)
            return
        arguments = (state.theta, found.batch, state.step, state.memory)
        if isinstance(self._optimizer, QuasiNewton):
            evaluate = lambda theta: self._estimate(theta, rng).batch
            update = self._optimizer.update(*arguments, evaluate)
        else:
            update = self._optimizer.update(*arguments)
        seconds = state.seconds + time.monotonic() - clock
        record = record_of(state.step, found, update.length, seconds)
        self._state = RunState(
            state.step + 1,
            update.theta,
            state.theta,
            found.configs,
            _json_of(rng),
            update.memory,
            np.concatenate((state.history, record)),
            seconds,
        )
        self._found = None

    def _half_back(self, state, error):
        """The state with half of the last step taken back, and nothing remembered of it."""
        if state.failures >= MAX_FAILURES or np.array_equal(state.theta, state.before):
            raise RangeError(
                f"step {state.step} led to numbers out of range ({error}); begin nearer to uniform "
                "weights, or with a smaller optimizer_opts={'max_length': ...}."
            ) from error
        middle = (state.theta + state.before) / 2
        return state._replace(theta=middle, memory={}, failures=state.failures + 1)

    # ------------------------------------------------------------ what to do with it

    def measure(
        self,
        operators: Mapping[str, Any] | None = None,
        rtol: float | None = None,
        max_samples: int | None = None,
        progbar: bool = False,
    ) -> dict[str, Energy]:
        """Expectation values in the state that was reached, from fresh samples.

        Parameters
        ----------
        operators : dict[str, operator], optional
            By name; what H may be. The sign rule and the sector hold for them too, so each must
            keep the sector. The energy is measured too.
        rtol : float, optional
            Sample until each error is below so much of its value.
        max_samples : int, optional
            Stop there in any case; by default at 2**20, without ``rtol`` at sixteen times the
            samples of a step.
        progbar : bool, optional

        Returns
        -------
        dict[str, Energy]
            By name, ``"energy"`` first: floats with ``.error`` (from blocks of draws),
            ``.variance``, ``.rhat``, ``.acceptance`` and ``.samples``, see `Energy`.

        Raises
        ------
        SitesError, OptionError
            As for H.
        """
        masks = {"energy": self._H}
        for name, operator in dict(operators or {}).items():
            masks[name] = FlipMasks(operator, self._H.sites, self._H.phys_dim, self._sign_rule)
            masks[name].check_hermitian()
            if self._sector is not None:
                check_conserved(masks[name], self._sector)
        rtol = rtol and _positive("rtol", rtol)
        if max_samples is None:
            max_samples = 2**20 if rtol else FINAL * self._draws * self._chains
        check_positive_int("max_samples", max_samples, OptionError)
        net, state = self.network, self._state
        if self._method == "full":
            return measure_full(net, masks, self._sector)
        rng = np.random.Generator(np.random.PCG64(_generator(state.generator).integers(2**63)))
        configs = state.configs if len(state.configs) else None
        return measure_samples(
            net.evaluator(batch=DRAWS * self._chains),
            *(masks, self._sector, configs, self._chains, rng, rtol, max_samples, progbar),
        )

    def plot(self, hlines: Mapping[str, float] | None = None, zoom: int | None = None) -> Any:
        """Draw the run: energies per site, the last steps enlarged, and the variance.

        Parameters
        ----------
        hlines : dict[str, float], optional
            Energies per site to compare with, by label.
        zoom : int, optional
            How many of the last steps are enlarged; by default half, at most 200.

        Returns
        -------
        figure, list of axes
            As quimb's ``TNVMC.plot``: all, zoom, variance.

        Raises
        ------
        ExtraError
            If matplotlib is not installed.
        OptionError
            If no step was taken yet.
        """
        return plot_run(self._state.history, self._H.nsites, dict(hlines or {}), zoom)


def _positive(name, value):
    """A positive number, or a named error."""
    try:
        if not isinstance(value, (bool, str)) and float(value) > 0:
            return float(value)
    except (TypeError, ValueError):
        pass
    raise OptionError(f"{name}={value!r} must be a positive number.")


def _json_of(rng):
    """The state of a generator, as JSON."""
    return json.dumps(rng.bit_generator.state)


def _generator(text):
    """The generator of a state."""
    bits = np.random.PCG64()
    bits.state = json.loads(text)
    return np.random.Generator(bits)
