"""Ground states: a network, an operator, and steps until the energy stops falling.

::

    net, H --> chains --> local energies, derivatives --> step --> new net
                 ^                                                   |
                 +----------------- again and again -----------------+      checkpoint, history

    then fresh samples of the last network say what was reached: energy, error, variance
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import OptionError, check_positive_int
from ..jobs.progress import progress_bar
from ..numerics.shown import Shown
from .checkpoint import read_checkpoint, write_checkpoint
from .energies import Energy
from .history import has_stalled, progress_text, with_error
from .measure import measure_samples, measure_without_noise
from .operators import FlipMasks
from .picture import plot_run
from .preparation import positive
from .sectors import check_conserved
from .trajectory import Trajectory, generator_of

STEPS = 300  # where neither steps nor seconds are given
WRITE_EVERY = 5.0  # seconds
FINAL = 16  # as many samples as of a step, after the last one
RESERVE = 0.05  # of the seconds, for the samples after the last step


class GroundState(Shown):
    """A network on its way to the ground state of an operator.

    Parameters
    ----------
    net : ConvAC, RAC, RBM or another DeepNetwork, or a torch.nn.Module
        Where to begin; it stays as it is. Of a module see `TorchNetwork`, which `network` then is.
        Near-uniform weights are a wise start, such as
        ``ConvAC.rand(..., dist="uniform", loc=1, scale=0.05)``: random deep polynomials have nodes
        and amplitudes of very different size, from which samples lead nowhere.
    H : SparseOperatorBuilder, LocalHam1D, LocalHam2D, LocalHamGen, MatrixProductOperator or dict
        A Hermitian operator on the sites of the network; a dict is ``{where: matrix}``.
    sector : int, optional
        A number of ones that H keeps: configurations of other numbers have no part in the state.
        By default that of the Hilbert space of H.
    sign_rule : None, "marshall" or sequence of sites, optional
        Look for the state in the basis ``(-1)**(sum of digits on these sites) |s>``.
    method : {"sample", "full", "exact"}, optional
        Where energies come from: Markov chains, all configurations of the sector, or contractions
        of the collapsed network, which no size forbids where windows are small. These need torch;
        in a sector they take as many contractions as there are sites.
    optimizer : {"auto", "sr", "adam", "sgd", "lbfgs"}, optional
        ``"auto"`` is ``"sr"`` for samples, stochastic reconfiguration, which solves for parameters
        or for samples, whichever are fewer, and else ``"lbfgs"``, which needs energies without
        noise. Exact contractions give no derivatives for the others.
    optimizer_opts : dict, optional
        Arguments of `NaturalGradient`, `Adam`, `Descent` or `QuasiNewton`, such as
        ``{"learning_rate": 0.02}``.
    samples : int, optional
        Of each of the first hundred steps; after them they rise, up to four times as many.
    chains : int, optional
        Independent Markov chains.
    seed : None, int or numpy.random.Generator, optional
        Equal seeds give equal runs, however these are cut into calls of `run`.
    executor : optional
        Who samples, in shards of chains, as `contract_sliced` takes it: an executor of
        `concurrent.futures`, dask, ray or mpi4py, or its name; by default this process. The run is
        the same to the last digit whoever computes it.
    orthogonal_to : sequence of states, optional
        What steps lower is ``energy + penalty * sum |<other|psi>|^2`` of normalised states, so
        that the next level is found; needs ``method="full"`` or ``"exact"``. Networks are read in
        the basis of the sign rule, as ``net``; quimb vectors and dense ones as they are. Nets of
        few channels have local minima here, states that break a symmetry: begin with read-out
        weights of both signs, from a few seeds, and keep the lowest energy.
    penalty : float, optional
        It must exceed the gap to the next level. By default ten times the size of the local terms
        of H (10 for bonds ``S.S``, 20 for fields ``X``). Energies that are reported leave it out.

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
    BudgetError, MethodError, ExtraError
        If the method is too dear, does not suit, or torch is missing.

    Warns
    -----
    SamplingWarning
        If amplitudes of random configurations differ so much that samples will see few of them.

    Notes
    -----
    Steps of all optimizers but L-BFGS, which searches along lines, are bounded in the Fubini-Study
    metric, local energies are clipped at eight median deviations (for the step alone, never in an
    energy that is reported), and a step that leads to numbers out of range, or raises the energy
    by more than its length allows, is taken back by half. Energies that are reported come from
    fresh samples of the network as it is after the last step, or from all configurations or a
    contraction, never from the lowest step of the history.

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
        executor: Any = None,
        orthogonal_to: Any = (),
        penalty: float | None = None,
    ) -> None:
        options = (method, optimizer, optimizer_opts, samples, chains, seed, executor)
        self._path = Trajectory(net, H, sector, sign_rule, *options, orthogonal_to, penalty)
        self._state = self._path.start()
        self._found: Energy | None = None

    # ------------------------------------------------------------ what was reached

    @property
    def network(self) -> Any:
        """The network with the parameters that were reached."""
        return self._path.network(self._state.theta)

    @property
    def history(self) -> np.ndarray:
        """One record for each step, a structured array.

        Columns are step, energy, error, variance (nan for contractions, which `measure` gives at
        the end), penalty, samples, acceptance, rhat, length (of the step, in the Fubini-Study
        metric; nan for L-BFGS), seconds, and cloud: a few local energies, for pictures.
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
        net, method, optimizer = self._path.net, self._path.method, self._path.optimizer.name
        title = f"GroundState of {net!r}, {method}, {optimizer}, {self._state.step} steps"
        if self._found is None:
            return f"{title}; not measured yet"
        found, N = self._found, self._path.H.nsites
        lines = [
            ("E/N", with_error(found / N, found.error / N)),
            ("E", with_error(float(found), found.error)),
            ("variance/N", f"{found.variance / N:.4g}"),
            ("V-score", f"{self.vscore:.3g}"),
        ]
        if self._path.method == "sample":
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
            How many; by default 300, or as many as ``seconds`` allow. Where energies have no noise,
            L-BFGS ends earlier once nothing can be gained beyond round-off.
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
            If the checkpoint is torn or was written for another problem, or an option is not
            understood.
        RangeError
            If ten steps in a row led to numbers out of range.
        WorkerError
            If the executor died; what was done is in the checkpoint.

        Warns
        -----
        SamplingWarning
            If the chains of the measurement stood still or did not mix.

        Notes
        -----
        Ctrl-C ends the steps, and what was reached is measured. The clock runs while steps are
        taken: loops are compiled before it starts, in a first call.
        """
        steps = None if steps is None else check_positive_int("steps", steps, OptionError)
        patience = patience and check_positive_int("patience", patience, OptionError)
        seconds = math.inf if seconds is None else positive("seconds", seconds)
        if steps is None and seconds == math.inf:
            steps = STEPS
        if callback is not None and not callable(callback):
            raise OptionError(f"callback={callback!r} cannot be called; give a function.")
        self._path.warm_up(self._state)
        begun, spent = self._state.step, self._state.seconds
        if checkpoint is not None:
            self._go_on_from(checkpoint)
        goal = math.inf if steps is None else begun + steps
        limit = spent + seconds * (1 - RESERVE)
        written, done = -math.inf, lambda: self._state.step >= goal or self._state.seconds >= limit
        try:
            with progress_bar(progbar, total=steps, initial=self._state.step - begun) as shown:
                while not done():
                    last = self._state
                    self._state, self._found = self._path.advance(last), None
                    shown(progress_text(self._state.history, self._path.H.nsites))
                    if checkpoint is not None and time.monotonic() > written + WRITE_EVERY:
                        write_checkpoint(checkpoint, self._path.problem(), self._state)
                        written = time.monotonic()
                    if callback is not None and _is_true(callback(self)):
                        break
                    if self._path.has_settled(last, self._state):
                        break
                    if patience and has_stalled(self._state.history, patience):
                        break
        except KeyboardInterrupt:
            pass  # the state is that after the last whole step
        if checkpoint is not None:
            write_checkpoint(checkpoint, self._path.problem(), self._state)
        self._found = self.measure()["energy"]
        return self

    def _go_on_from(self, checkpoint):
        """Take the state of a file, unless this object is further."""
        found = read_checkpoint(checkpoint, self._path.problem(), self._state)
        if found is not None and found.step > self._state.step:
            self._state, self._found = found, None

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
            As for H, or if they are not a dict, or one is called ``"energy"``.
        """
        masks = {"energy": self._path.H}
        for name, operator in _named(operators).items():
            masks[name] = FlipMasks(
                operator, self._path.H.sites, self._path.H.phys_dim, self._path.sign_rule
            )
            masks[name].check_hermitian()
            if self._path.sector is not None:
                check_conserved(masks[name], self._path.sector)
        rtol = rtol and positive("rtol", rtol)
        if max_samples is None:
            max_samples = 2**20 if rtol else FINAL * self._path.draws * self._path.chains
        check_positive_int("max_samples", max_samples, OptionError)
        net, state = self.network, self._state
        if self._path.method != "sample":
            return measure_without_noise(net, masks, self._path.sector, self._path.method)
        rng = np.random.Generator(np.random.PCG64(generator_of(state.generator).integers(2**63)))
        return measure_samples(
            lambda state, draws, masks, burn_in: self._path.sample(
                state, net, draws, rng, masks, burn_in=burn_in
            ),
            *(state, masks, rtol, max_samples, progbar),
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
        return plot_run(self._state.history, self._path.H.nsites, dict(hlines or {}), zoom)


def _named(operators):
    """Operators by name, none of them with the name of the energy."""
    if not isinstance(operators, (Mapping, type(None))) or "energy" in (operators or {}):
        raise OptionError(
            f"operators is a {type(operators).__name__} that cannot be read; give a dict from "
            "names to operators, as in {'zz': {(0, 1): G}}. The name 'energy' is that of H."
        )
    return operators or {}


def _is_true(answer):
    """Whether a callback asks to end the run: True itself, of Python or of a numpy comparison."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
