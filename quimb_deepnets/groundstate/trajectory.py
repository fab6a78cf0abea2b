"""From one state of a run to the next: a function of nothing but that state.

::

    RunState   theta, chains, generator, memory, history
        |  estimate: energy, batch               numbers out of range, or an energy that jumped:
        |  optimizer: theta'                     half of the last step is taken back
        v
    RunState   of the next step
"""

import contextlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from autoray import to_numpy
from quimb.tensor import TensorNetwork

from ..errors import (
    ConfigError,
    DeepNetError,
    OptionError,
    RangeError,
    WeightError,
    check_option,
    check_positive_int,
)
from ..jobs import as_pool
from ..networks import DeepNetwork
from ..numerics.traced import check_constant
from ..numerics.weights import make_rng
from .batches import Estimate, full_estimate, point_estimate, sampled_estimate
from .checkpoint import RunState, digest_of
from .exact_energy import exact_energy
from .history import RECORD, has_jumped, record_of
from .lbfgs import QuasiNewton, Remembered
from .local import local_derivatives
from .operators import FlipMasks
from .optimizers import make_optimizer
from .points import FullEnergy, Point, network_at
from .preparation import as_network, check_real, check_spread, energy_scale, positive, sign_sites
from .reading import inherited_sector
from .sectors import check_conserved, check_sector
from .shards import Request, Samples, check_executor, sharded_samples
from .steps import Batch
from .targets import Target

BURN_IN = 16  # sweeps before the first step; later steps begin where the last one ended
RISE, MOST = 100, 4  # steps after which samples rise by as many as there were, and up to so often
MAX_FAILURES = 10
PENALTY = 10  # of a state that a run stays away from, in units of `energy_scale`


class Trajectory:
    """A problem, checked, and the way from one state of a run to the next.

    Parameters
    ----------
    net, H, sector, sign_rule, method, optimizer, optimizer_opts, samples, chains, seed, executor
        See `GroundState`.

    Attributes
    ----------
    net : DeepNetwork
        As given; nothing differentiates its weights.
    H : FlipMasks
    sector : int or None
    sign_rule : None or sequence of sites
    optimizer : NaturalGradient, Adam, Descent or QuasiNewton
    draws, chains : int
        Samples of a step are draws of chains.
    scale : float
        See `energy_scale`.
    """

    def __init__(
        self,
        net: Any,
        H: Any,
        sector: int | None,
        sign_rule: Any,
        method: str,
        optimizer: str,
        optimizer_opts: Mapping[str, float] | None,
        samples: int,
        chains: int,
        seed: Any,
        executor: Any = None,
        orthogonal_to: Any = (),
        penalty: float | None = None,
    ) -> None:
        net = as_network(net, H)
        if not isinstance(net, DeepNetwork):
            raise OptionError(
                f"a {type(net).__name__} is not a network; give a ConvAC, RAC, RBM or a module of "
                "torch, of an expanded state its .network."
            )
        check_constant(net.params.leaves.values(), "GroundState")
        check_option("method", method, ("sample", "full", "exact"))
        check_executor(executor, method)
        self.executor = as_pool(executor)
        self.net = net._bare()
        self.sign_rule, self.method = sign_sites(H, net, sign_rule), method
        self.H = FlipMasks(H, net.sites, net.phys_dim, self.sign_rule)
        self.H.check_hermitian()
        sector = inherited_sector(H) if sector is None else sector
        self.sector = check_sector(sector, net.nsites, net.phys_dim)
        if self.sector is not None:
            check_conserved(self.H, self.sector)
        check_real(self.net, self.H)
        self.optimizer = make_optimizer(optimizer, optimizer_opts, method)
        self.chains = check_positive_int("chains", chains, OptionError)
        samples = check_positive_int("samples", samples, OptionError)
        self.draws = max(1, -(-samples // self.chains))
        self.scale = energy_scale(self.H)
        weight = PENALTY * self.scale if penalty is None else positive("penalty", penalty)
        self.others = [(x, weight) for x in self._targets(orthogonal_to)]
        self._energy = self._prepared()
        whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
        self._seed, self._rng = int(seed) if whole else None, make_rng(seed)
        self._warm = False
        if method == "sample":
            check_spread(self.net, self.sector, self.H.phys_dim)

    def _targets(self, states):
        """States that a run stays away from."""
        one = isinstance(states, (DeepNetwork, TensorNetwork, np.ndarray))
        if one or not hasattr(states, "__iter__"):
            raise OptionError(
                f"orthogonal_to is a {type(states).__name__}; give a list of states, such as "
                "[state]."
            )
        if (states := list(states)) and self.method == "sample":
            raise OptionError(
                "orthogonal_to needs overlaps without noise, which samples do not give where "
                "they are small; use method='full' or 'exact'."
            )
        return [Target(state, self.net, self.sign_rule) for state in states]

    def _prepared(self):
        """Energy and gradient as a function of parameters, or None where chains are drawn."""
        if self.method == "exact":
            return Remembered(exact_energy(self.net, self.H, self.sector, self.others))
        if self.method == "sample":
            return None
        full = FullEnergy(self.net, self.H, self.sector)
        full.others = [(x.amplitudes(full.operator), weight) for x, weight in self.others]
        return full if self.optimizer.name != QuasiNewton.name else Remembered(full)

    def start(self) -> RunState:
        """The state before the first step."""
        rng = np.random.Generator(np.random.PCG64(self._rng.integers(2**63, size=4)))
        theta = to_numpy(self.net.vector)
        theta = theta.astype(np.result_type(theta.dtype, np.float64))
        none = np.zeros((0, self.H.nsites), np.int8)
        return RunState(0, theta, theta, none, state_of(rng), {}, np.zeros(0, RECORD))

    def problem(self) -> dict[str, Any]:
        """What a checkpoint is of, as JSON has it."""
        net, sites = self.net, self.sign_rule
        return {
            "network": type(net).__name__,
            "geometry": repr(net.geometry),
            "dtype": net.dtype,
            "H": digest_of(self.H),
            "sector": self.sector,
            "sign_rule": None if sites is None else sorted(map(str, sites)),
            "method": self.method,
            "optimizer": [self.optimizer.name, dict(vars(self.optimizer))],
            "samples": self.draws * self.chains,
            "chains": self.chains,
            "seed": self._seed,
            "orthogonal_to": [[x.digest, weight] for x, weight in self.others],
        }

    def network(self, theta: np.ndarray) -> Any:
        """The network with these parameters, in the dtype, library and place of the one given."""
        return network_at(self.net, theta)

    def estimate(self, state: RunState, theta: np.ndarray, rng: Any) -> Estimate:
        """Energy and batch at parameters, where energies are in units of `scale`.

        Parameters
        ----------
        state : RunState
            Where the chains are, and how many steps were taken.
        theta : numpy.ndarray, shape (P,)
        rng : numpy.random.Generator

        Raises
        ------
        RangeError, ConfigError
            If numbers are out of range, or chains stand where psi is zero.
        """
        net = self.network(theta)
        real = not np.iscomplexobj(theta)
        if isinstance(self.optimizer, QuasiNewton):
            found = point_estimate(self._energy(theta), self.H.nsites)
        elif self.method == "full":
            found = full_estimate(net.evaluator(), self._energy, real)
        else:
            rise = min(MOST, 1 + max(0, state.step - RISE) / RISE)
            drawn = self.sample(state, net, round(self.draws * rise), rng, derivatives=True)
            found = sampled_estimate(drawn, real)
        if not math.isfinite(found.energy) or math.isinf(found.variance):
            raise RangeError("an energy is not finite.")
        if isinstance(found.step, Batch):
            scaled = found.step._replace(energies=found.step.energies / self.scale)
            found = found._replace(step=scaled)
        return found

    def sample(
        self,
        state: RunState,
        net: Any,
        draws: int,
        rng: np.random.Generator,
        masks: Sequence[FlipMasks] = (),
        derivatives: bool = False,
        burn_in: int = 0,
    ) -> Samples:
        """Draws of the chains from where they are, and local values there.

        Parameters
        ----------
        state : RunState
        net : DeepNetwork
            What is sampled.
        draws : int
            A sweep apart: as many proposals as sites, of exchanges half as many.
        rng : numpy.random.Generator
        masks : sequence of FlipMasks, optional
            By default H.
        derivatives : bool, optional
            Whether derivatives are wanted too.
        burn_in : int, optional
            Sweeps before the first draw; chains that begin take 16 in any case.
        """
        configs = state.configs if len(state.configs) else None
        request = Request(
            net,
            tuple(masks) or (self.H,),
            self.sector,
            self.chains,
            draws,
            burn_in=BURN_IN if configs is None else burn_in,
            steps=net.nsites if self.sector is None else -(-net.nsites // 2),
            levels=1,
            derivatives=derivatives,
        )
        return sharded_samples(request, configs, rng, self.executor)

    def warm_up(self, state: RunState) -> None:
        """Call what a step calls once, so that its loops are compiled before a clock starts."""
        if self._warm:
            return
        net = self.network(state.theta)
        with contextlib.suppress(DeepNetError):  # which the first step raises again
            if self.method == "sample":
                self.sample(state, net, 1, generator_of(state.generator), derivatives=True)
            elif not isinstance(self.optimizer, QuasiNewton):
                some = np.zeros((2, self.H.nsites), int)
                some[:, : self.sector or 0] = 1
                local_derivatives(net.evaluator(), some)
        self._warm = True

    def advance(self, state: RunState) -> RunState:
        """The state after one more step.

        Raises
        ------
        RangeError
            If ten steps in a row came to nothing.
        """
        clock = time.monotonic()
        rng = generator_of(state.generator)
        try:
            found = self.estimate(state, state.theta, rng)
            moved = not np.array_equal(state.theta, state.before)
            if moved and state.failures < MAX_FAILURES and has_jumped(state.history, found):
                raise RangeError("the energy jumped.")
        except (RangeError, ConfigError) as error:
            return self._half_back(state, error)
        if isinstance(found.step, Point):
            line = (self._scaled(found.step), state.step, state.memory, self._on_a_line)
            update = self.optimizer.update(state.theta, *line)
        else:
            update = self.optimizer.update(state.theta, found.step, state.step, state.memory)
        seconds = state.seconds + time.monotonic() - clock
        record = record_of(state.step, found, update.length, seconds)
        return RunState(
            state.step + 1,
            update.theta,
            state.theta,
            found.configs,
            state_of(rng),
            update.memory,
            np.concatenate((state.history, record)),
            seconds,
        )

    def has_settled(self, before: RunState, after: RunState) -> bool:
        """Whether a step without noise changed nothing, as all further ones would."""
        old, new = before.memory, after.memory
        return (
            isinstance(self.optimizer, QuasiNewton)
            and np.array_equal(before.theta, after.theta)
            and old.keys() == new.keys()
            and all(np.array_equal(old[key], new[key]) for key in old)
        )

    def _scaled(self, point):
        """What L-BFGS makes lower, in units of `scale`, and its gradient."""
        return (point.energy + point.penalty) / self.scale, point.gradient / self.scale

    def _on_a_line(self, theta):
        """The same at other parameters; infinite where numbers leave the range of floats."""
        try:
            return self._scaled(self._energy(theta))
        except (RangeError, WeightError):
            return math.inf, np.zeros_like(theta)

    def _half_back(self, state, error):
        """The state with half of the last step taken back, and nothing remembered of it."""
        if state.failures >= MAX_FAILURES or np.array_equal(state.theta, state.before):
            raise RangeError(
                f"step {state.step} led to numbers out of range ({error}); begin nearer to uniform "
                "weights, or with a smaller optimizer_opts={'max_length': ...}."
            ) from error
        middle = (state.theta + state.before) / 2
        return state._replace(theta=middle, memory={}, failures=state.failures + 1)


def state_of(rng: np.random.Generator) -> str:
    """The state of a generator, as JSON."""
    return json.dumps(rng.bit_generator.state)


def generator_of(text: str) -> np.random.Generator:
    """The generator of a state."""
    bits = np.random.PCG64()
    bits.state = json.loads(text)
    return np.random.Generator(bits)
