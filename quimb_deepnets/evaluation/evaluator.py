"""What a network prepares before it looks at configurations, kept between calls.

Plans, window tables and scaled weights do not depend on the configurations. A plain call makes
them and throws them away; an evaluator holds them for as long as it lives::

    net.evaluator(batch) --prepare--> tables, windows, scaled weights
                                            |
    configs  ------------------------> ev.log_amplitudes, ev.flip_ratios, ...     again and again
"""

from typing import Any

import numpy as np
from autoray import do, infer_backend

from ..errors import BudgetError, OptionError, check_positive_int
from ..numerics.configs import check_configs
from ..numerics.scaled import Scaled, full_precision, readable
from ..numerics.weights import MAX_BYTES
from .chunks import check_result, map_chunks


class Evaluator:
    """Amplitudes, ratios and derivatives of one network, prepared once.

    Parameters
    ----------
    net : DeepNetwork
    batch : int, optional
        How many configurations each call will bring; by default as many as the first one brings.
        Any number is right, the plan is made for this one.

    Notes
    -----
    Weights of numpy cannot change. Those of torch may be trained in place: that is noticed, by
    torch's version counters, and everything is prepared anew. While weights require grad nothing
    is kept, so that each result has a graph of its own.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    >>> ev = net.evaluator(batch=100)
    >>> ev
    Evaluator(ConvAC of 16 sites, batch=100)
    >>> configs = np.random.default_rng(0).integers(2, size=(100, 16))
    >>> bool((ev.amplitudes(configs) == net.amplitudes(configs)).all())
    True
    """

    def __init__(self, net: Any, batch: int | None = None) -> None:
        if batch is not None:
            check_positive_int("batch", batch, OptionError)
        self._net, self._batch = net, batch
        self._kept: dict[str, Any] = {}
        self._state: tuple = ()

    def __repr__(self) -> str:
        kind, sites = type(self._net).__name__, self._net.nsites
        return f"{type(self).__name__}({kind} of {sites} sites, batch={self._batch})"

    @property
    def network(self) -> Any:
        """The network that is evaluated."""
        return self._net

    # ------------------------------------------------------------ preparation

    def _prepared(self, name, make):
        """What ``make`` prepares, or prepared before with the weights as they are."""
        leaves = self._net.params.leaves.values()
        followed = [x for x in leaves if infer_backend(x) == "torch"]
        if any(x.requires_grad or not readable(x) for x in followed):
            return make()
        state = tuple((x.data_ptr(), x._version) for x in followed)
        if state != self._state:
            self._kept, self._state = {}, state
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _checked(self, configs):
        configs = check_configs(configs, self._net.geometry.shape, self._net.phys_dim)
        if self._batch is None:
            self._batch = max(1, len(configs))
        return configs

    def _amplitudes(self, plan=None):
        """A function from digits to scaled amplitudes, and how many at a time."""
        net = self._net
        plan = net.plan(self._batch) if plan is None else plan
        if plan.chunk_bytes > MAX_BYTES:
            raise BudgetError(
                f"one configuration needs arrays of {plan.chunk_bytes} bytes, more than the "
                f"{MAX_BYTES} allowed; use a smaller lattice or bond_dim."
            )
        return net._evaluate_by(plan), plan.chunk

    def scaled_amplitudes(self, configs, chunk=None, progbar=False, plan=None) -> Scaled:
        """The amplitudes as numbers ``mantissa * 2**exponent``, each part of shape ``(B,)``."""
        configs = self._checked(configs)
        name = "amplitudes" if plan is None else f"amplitudes by {id(plan)}"
        evaluate, size = self._prepared(name, lambda: self._amplitudes(plan))
        return map_chunks(self._net, evaluate, configs, size, chunk, progbar)

    # ------------------------------------------------------------ what users call

    def amplitudes(self, configs: Any, chunk: int | None = None, progbar: bool = False) -> Any:
        """The amplitudes of a batch, ``(B,)``, see ``net.amplitudes``."""
        return self.scaled_amplitudes(configs, chunk, progbar).plain()

    def log_amplitudes(
        self, configs: Any, chunk: int | None = None, progbar: bool = False
    ) -> tuple[Any, Any]:
        """Phases and natural logarithms, each ``(B,)``, see ``net.log_amplitudes``."""
        return self.scaled_amplitudes(configs, chunk, progbar).phase_and_log()

    @full_precision
    def flip_ratios(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        """The ratios of all single flips, ``(B, N, phys_dim)``, see ``net.flip_ratios``."""
        net, configs = self._net, self._checked(configs)
        check_result(net, "flip_ratios", configs, net.nsites * net.phys_dim, max_bytes)
        flips, size = self._prepared("flips", lambda: net._flips_by(self._batch))
        return map_chunks(net, flips, configs, size, chunk, progbar)

    @full_precision
    def log_derivatives(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        """``d log psi / d theta``, ``(B, num_params)``, see ``net.log_derivatives``."""
        net, configs = self._net, self._checked(configs)
        check_result(net, "log_derivatives", configs, net.num_params, max_bytes)
        derive, size = self._prepared("derivatives", lambda: net._bare()._derivatives_by())
        return map_chunks(net, derive, configs, size, chunk, progbar)

    def ratios(
        self,
        configs: Any,
        masks: Any,
        chunk: int | None = None,
        progbar: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        """The ratios ``psi(s + mask) / psi(s)``, digits added modulo the local dimension.

        Parameters
        ----------
        configs : array_like of int, shape (B, L) or (B, Lx, Ly)
        masks : array_like of int, shape (m, L) or (m, Lx, Ly)
            What is added to each site; of qubits, 1 where a site is flipped.
        chunk, progbar, max_bytes
            See ``net.flip_ratios``.

        Returns
        -------
        array, shape (B, m)
            0 below the range of the dtype; where psi(s) is zero, nan.

        Raises
        ------
        ConfigError
            If configurations or masks do not fit the sites.
        BudgetError
            If the result would be too large.
        RangeError
            If a ratio is above the range of the dtype.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.RAC.rand(4, depth=2, bond_dim=3, seed=0)
        >>> exchange = net.evaluator().ratios([[0, 1, 1, 0]], [[1, 1, 0, 0]])
        >>> bool(abs(exchange[0, 0] - net.amplitude("1010") / net.amplitude("0110")) < 1e-12)
        True
        """
        net, configs = self._net, self._checked(configs)
        masks = check_configs(masks, net.geometry.shape, net.phys_dim)
        check_result(net, "ratios", configs, len(masks), max_bytes)
        changed = (configs[:, None] + masks[None]) % net.phys_dim
        every = np.concatenate([configs, changed.reshape(-1, *net.geometry.shape)])
        found = self.scaled_amplitudes(every, chunk, progbar)
        count = len(configs)
        new = Scaled(*(do("reshape", part[count:], (count, len(masks))) for part in found))
        return ratio_of(new, Scaled(*(part[:count, None] for part in found)))


def ratio_of(new: Scaled, old: Scaled) -> Any:
    """Quotients of scaled amplitudes as plain numbers, nan where the old one is zero."""
    zero = old.mantissa == 0
    safe = do("where", zero, do("ones_like", old.mantissa), old.mantissa)
    quotient = Scaled(new.mantissa / safe, new.exponent - old.exponent)
    return do("where", zero, float("nan"), quotient.plain("a ratio", vanishing=True))
