"""Samples in shards of chains: each a function of nothing but its network, chains and seed.

::

    chains  0 .. 31   --worker-->  draws, local values, derivatives  --.
    chains 32 .. 63   --worker-->  draws, local values, derivatives  --+-->  joined in this order
    ...               --worker-->  ...                               --'

What a shard holds does not depend on how many workers there are, so nor does the result, to the
last bit; a shard that is lost with its worker is computed again.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from ..errors import BudgetError, OptionError
from ..evaluation.evaluator import Evaluator
from ..evaluation.factored_rows import joined
from ..jobs import Job, in_order
from ..jobs.progress import progress
from ..numerics.weights import MAX_BYTES
from ..sampling import Metropolis
from .local import local_derivatives, local_energies
from .operators import FlipMasks

SHARD, BATCHED = 32, 128  # chains of one shard: where a loop runs them, where batches do


class Samples(NamedTuple):
    """Draws of independent chains, and what was measured on them.

    Attributes
    ----------
    configs : numpy.ndarray of int, shape (draws, chains, N)
    logabs : numpy.ndarray, shape (draws, chains)
        ``log |psi|``.
    values : list[numpy.ndarray], shape (draws, chains) each
        Local values of each operator.
    derivatives : numpy.ndarray, shape (draws, chains, P), FactoredRows or None
        ``d log psi / d theta``, if they were asked for.
    acceptance : float
        The share of proposals that were accepted.
    """

    configs: np.ndarray
    logabs: np.ndarray
    values: list[np.ndarray]
    derivatives: Any
    acceptance: float


class Request(NamedTuple):
    """What is sampled, and how: the same for all shards.

    Attributes
    ----------
    net : DeepNetwork
    masks : tuple[FlipMasks]
        Operators of which local values are wanted.
    sector : int or None
        A number of ones.
    chains, draws, burn_in : int
        Draws are a sweep apart; ``burn_in`` sweeps come before them.
    steps : int
        Proposals of a sweep.
    levels : int or None
        See `Metropolis`.
    derivatives : bool
        Whether derivatives are wanted.
    """

    net: Any
    masks: tuple[FlipMasks, ...]
    sector: int | None
    chains: int
    draws: int
    burn_in: int
    steps: int
    levels: int | None = None
    derivatives: bool = False


class _Work:
    """A request with the chains and the seed of each shard; prepared tables stay where they are."""

    starts: Any
    seeds: np.ndarray

    def __init__(self, request):
        self.request = request

    def __getstate__(self):
        return {name: x for name, x in vars(self).items() if name != "evaluator"}

    @functools.cached_property
    def evaluator(self):
        """Of the network, planned for all shards, so that plans do not depend on the workers.

        All of them together are one call: the parameters of the next step are others.
        """
        request = self.request
        return Evaluator(request.net, request.draws * request.chains, calls=1)


def sharded_samples(
    request: Request, configs: Any, rng: np.random.Generator, executor: Any, progbar: bool = False
) -> Samples:
    """Draws of chains, shard by shard.

    Parameters
    ----------
    request : Request
    configs : numpy.ndarray of int, shape (chains, N), or None
        Where the chains are; None begins them.
    rng : numpy.random.Generator
        Gives each shard its seed.
    executor : optional
        See `jobs.as_pool`; None computes here.
    progbar : bool, optional
        Show a progress bar over the shards.

    Raises
    ------
    BudgetError
        If the draws take too much memory.
    ConfigError
        If no configuration of non-zero amplitude was found, or chains stand where psi is zero.
    RangeError
        If numbers are out of range.
    WorkerError
        If the executor died.
    """
    count = request.draws * request.chains
    if (need := count * (request.net.nsites + 8 * (1 + len(request.masks)))) > MAX_BYTES:
        raise BudgetError(
            f"{count} samples of {request.net.nsites} sites need {need} bytes, more than the "
            f"{MAX_BYTES} allowed; ask for fewer."
        )
    work = _Work(request)
    size = BATCHED if work.evaluator.chain_tables() is None else SHARD
    bounds = [*range(0, request.chains, size), request.chains]
    sizes = np.diff(bounds)
    work.starts = sizes if configs is None else np.split(configs, bounds[1:-1])
    work.seeds = rng.integers(2**63, size=len(sizes))
    results = in_order(Job(_one_shard, work), range(len(sizes)), executor)
    parts = list(progress(results, progbar, total=len(sizes)))
    join = lambda arrays: np.concatenate(list(arrays), axis=1)
    values = [join(part.values[i] for part in parts) for i in range(len(request.masks))]
    derivatives = joined([x.derivatives for x in parts], axis=1) if request.derivatives else None
    return Samples(
        join(part.configs for part in parts),
        join(part.logabs for part in parts),
        values,
        derivatives,
        float(np.average([part.acceptance for part in parts], weights=sizes)),
    )


def _one_shard(work, k):
    """The samples of one shard."""
    request, evaluator, given = work.request, work.evaluator, work.starts[k]
    net, rng = request.net, np.random.Generator(np.random.PCG64(work.seeds[k]))
    begin = np.ndim(given) == 0
    chains = int(given) if begin else len(given)
    start = None if begin else given.reshape(chains, *net.geometry.shape)
    sampler = Metropolis(
        evaluator, chains, sector=request.sector, levels=request.levels, seed=rng, start=start
    )
    sampler.quiet()
    if request.burn_in:
        sampler.sweep(request.burn_in, request.steps)
        sampler.forget()
    configs = np.empty((request.draws, chains, net.nsites), np.min_scalar_type(-net.phys_dim))
    logabs = np.empty((request.draws, chains))
    for draw in range(request.draws):
        sampler.sweep(1, request.steps)
        configs[draw], logabs[draw] = sampler.digits, sampler.log_amplitudes[1]
    flat = configs.reshape(-1, net.nsites)
    values = [local_energies(evaluator, H, flat).reshape(logabs.shape) for H in request.masks]
    derivatives = local_derivatives(evaluator, flat) if request.derivatives else None
    if derivatives is not None:
        derivatives = derivatives.reshape(*logabs.shape, -1)
    return Samples(configs, logabs, values, derivatives, sampler.acceptance)


def check_executor(executor: Any, method: str) -> None:
    """Refuse an executor where nothing is sampled.

    Raises
    ------
    OptionError
    """
    if executor is not None and method not in ("sample", "auto"):
        raise OptionError(
            f"executor={executor!r} shares samples among workers, and method={method!r} draws "
            "none; leave it out, or use method='sample'."
        )
