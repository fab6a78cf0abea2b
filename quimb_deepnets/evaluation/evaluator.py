"""What a network prepares before it looks at configurations, kept between calls.

Plans, window tables and scaled weights do not depend on the configurations. A plain call makes
them and throws them away; an evaluator holds them for as long as it lives::

    net.evaluator(batch) --prepare--> tables, windows, scaled weights
                                            |
    configs  ------------------------> ev.log_amplitudes, ev.flip_ratios, ...     again and again
"""

from typing import Any

import numpy as np
from autoray import infer_backend, to_numpy

from ..errors import OptionError, check_positive_int
from ..numerics.configs import as_configs, batches, check_configs
from ..numerics.scaled import Scaled, readable
from ..numerics.torch_modes import full_precision
from ..numerics.traced import check_constant
from ..numerics.weights import MAX_BYTES
from .chunks import check_result, checked_digits, map_chunks, prepare
from .factored_rows import FactoredRows, joined
from .masks import flips_of, masks_of
from .plan import Plan
from .ratios import values_by

MANY = 32  # calls of an evaluator, unless it is told otherwise


class Evaluator:
    """Amplitudes, ratios and derivatives of one network, prepared once.

    Parameters
    ----------
    net : DeepNetwork
    batch : int, optional
        How many configurations each call will bring. Any number is right, the plan is made for
        this one; by default for as many as came, anew where a call brings more than twice as many.
    calls : int, optional
        How many calls will share what is prepared.

    Notes
    -----
    Weights of numpy cannot change. Those of torch may be trained in place, in any way: each call
    compares them with a copy, and prepares everything anew where they differ. While weights
    require grad nothing is kept, so that each result has a graph of its own.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    >>> ev = net.evaluator(batch=100)
    >>> ev
    Evaluator(ConvAC of 16 sites, batch=100)
    >>> configs = np.random.default_rng(0).integers(2, size=(100, 16))
    >>> np.allclose(ev.amplitudes(configs), net.amplitudes(configs), rtol=1e-12, atol=0)
    True
    """

    def __init__(self, net: Any, batch: int | None = None, calls: int = MANY) -> None:
        if batch is not None:
            check_positive_int("batch", batch, OptionError)
        self._net, self._follow = net, batch is None
        self._trainable = [x for x in net.params.leaves.values() if infer_backend(x) == "torch"]
        self._calls = check_positive_int("calls", calls, OptionError)
        self._batch: Any = batch  # an int once there was a call
        self._kept: dict[Any, Any] = {}
        self._state: list = []

    def __repr__(self) -> str:
        kind, sites = type(self._net).__name__, self._net.nsites
        batch = "" if self._batch is None else f", batch={self._batch}"
        return f"{type(self).__name__}({kind} of {sites} sites{batch})"

    @property
    def network(self) -> Any:
        """The network that is evaluated."""
        return self._net

    # ------------------------------------------------------------ preparation

    def _prepared(self, name, make):
        """What ``make`` prepares, or prepared before with the weights as they are."""
        followed = self._trainable
        if any(x.requires_grad or not readable(x) for x in followed):
            return make()
        if len(followed) != len(self._state) or not all(map(_same, followed, self._state)):
            self._kept, self._state = {}, [x.clone() for x in followed]
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @property
    def _planned(self):
        """For how many configurations to plan: those of all calls."""
        return self._calls * self._batch

    def _checked(self, configs):
        configs = as_configs(configs, self._net.geometry.shape)
        count = max(1, len(configs))
        if self._batch is None or (self._follow and count > 2 * self._batch):
            self._batch, self._kept = count, {}
        return configs

    def scaled_amplitudes(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        plan: Plan | None = None,
    ) -> Scaled:
        """The amplitudes as numbers ``mantissa * 2**exponent``, each part of shape ``(B,)``."""
        configs = self._checked(configs)
        net = self._net
        if plan is not None:
            evaluate, size = prepare(net, plan)
        else:
            make = lambda: prepare(net, net.plan(self._planned))
            evaluate, size = self._prepared("amplitudes", make)
        return map_chunks(net, evaluate, configs, size, chunk, progbar)

    def chain_tables(self) -> Any:
        """What compiled Markov chains read, see `evaluation.chains`; None where there are none."""
        return self._prepared("chains", self._net._chain_tables)

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
        make = lambda: net._ratios_by(flips_of(net.nsites, net.phys_dim), self._planned)
        ratios, size = self._prepared("flips", make)
        return map_chunks(net, values_by(ratios, net.phys_dim), configs, size, chunk, progbar)

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
        check_constant(net.params.leaves.values(), "log_derivatives")
        check_result(net, "log_derivatives", configs, net.num_params, max_bytes)
        derive, size = self._prepared("derivatives", lambda: net._bare()._derivatives_by())
        return map_chunks(net, derive, configs, size, chunk, progbar)

    @full_precision
    def factored_derivatives(self, configs: Any) -> FactoredRows | None:
        """The derivatives of `log_derivatives` in factors, where the family has them, else None."""
        net, configs = self._net, self._checked(configs)
        factored = self._prepared("factors", lambda: net._bare()._derivative_factors_by())
        if factored is None:
            return None
        check_constant(net.params.leaves.values(), "log_derivatives")
        size = net.plan(self._planned).chunk
        digits = lambda some: checked_digits(configs[some], net.phys_dim, net._like)
        return joined([factored(digits(some)) for some in batches(len(configs), size)])

    @full_precision
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
        masks = to_numpy(check_configs(masks, net.geometry.shape, net.phys_dim))
        masks = masks.reshape(len(masks), net.nsites).astype(np.min_scalar_type(net.phys_dim))
        check_result(net, "ratios", configs, len(masks) + 1, max_bytes)
        make = lambda: net._ratios_by(masks_of(masks), self._planned)
        ratios, size = self._prepared(("ratios", masks.tobytes()), make)
        return map_chunks(net, ratios, configs, size, chunk, progbar)


def _same(x, y):
    """Whether two arrays of torch are equal in every respect."""
    return x.dtype == y.dtype and x.device == y.device and x.equal(y)
