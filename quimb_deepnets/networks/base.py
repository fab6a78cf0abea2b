"""What every network can do: amplitudes, derivatives and ratios of batches of configurations.

A network is integers (its geometry) and arrays (its parameters), and turns configurations into
amplitudes without ever writing out a tensor network::

    configs (B, *shape) --digits--> (N, B) --prepared--> Scaled (B,) --+--> amplitudes
                                                                       +--> log_amplitudes

A family of networks hands both to ``__init__`` and says how amplitudes are evaluated; all else has
a general form that it may replace::

    must    _evaluate_by                        digits to amplitudes
    may     from_params, plan                   else: checks of shapes, a chunk at a time
            _evaluate_by_layers                 else: as planned, for functions that are traced
            _ratios_by, _derivatives_by         else: changed configurations, autograd of torch
            _derivative_factors_by              else: derivatives are rows of numbers
            _chain_tables                       else: Markov chains evaluate batches
            _scaled_state                       else: all amplitudes, one by one
            _is_complex                         else: as the weights are
            _torch_follows                      else: gradients come from derivatives of log psi

``class RBM(DeepNetwork, family="rbm")`` enters a family in `FAMILIES`: `save`, `load` and the
command line know those.
"""

from typing import Any

from autoray import do

from ..declared import NetworkMethods
from ..errors import BudgetError, OptionError, check_positive_int
from ..evaluation.evaluator import Evaluator
from ..evaluation.general import autograd_derivatives, general_plan, masked_ratios
from ..evaluation.machine import machine_of
from ..evaluation.plan import Plan
from ..numerics.configs import config_block, parse_config
from ..numerics.scaled import Scaled
from ..numerics.weights import MAX_BYTES
from .value import NetworkValue

FAMILIES: dict[str, type] = {}  # by their words on the command line


class DeepNetwork(NetworkMethods, NetworkValue):
    """Base class of networks that compute amplitudes, see the module.

    Parameters
    ----------
    geometry : Geometry
        All the integers.
    params : Params
        Every independent parameter by name, in a fixed order; the names are the tags of the
        tied tensors of the tensor network.
    """

    _torch_follows = False  # whether all amplitudes keep the graph of torch, at any weights

    def __init_subclass__(cls, family: str | None = None, **kwargs: Any) -> None:
        """Enter a class in `FAMILIES`, if it names its family.

        Raises
        ------
        OptionError
            If the word is taken by another class.
        """
        super().__init_subclass__(**kwargs)
        if family is None:
            return
        if (other := FAMILIES.setdefault(family, cls)) is not cls:
            raise OptionError(
                f"family={family!r} is {other.__name__} already; choose another word."
            )

    # ------------------------------------------------------------ amplitudes

    def amplitude(self, config: Any) -> Any:
        """The amplitude of one configuration.

        Parameters
        ----------
        config : str or array_like of int
            A string such as ``"0110"``, or one integer in ``0..phys_dim - 1`` per site.

        Returns
        -------
        scalar
            An array scalar, of the backend, device and dtype of the weights.

        Raises
        ------
        ConfigError
            If ``config`` is not a basis state of the sites.
        RangeError
            If the amplitude leaves the range of the dtype; `log_amplitudes` has no such limit.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=3, seed=1)
        >>> bool(net.amplitude("0110") == net.amplitudes([[0, 1, 1, 0]])[0])
        True
        """
        return self.amplitudes(parse_config(config, self.geometry.shape, self.phys_dim)[None])[0]

    def amplitudes(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        plan: Plan | None = None,
    ) -> Any:
        """The amplitudes of a batch of configurations.

        Parameters
        ----------
        configs : array_like of int, shape (B, L) or (B, Lx, Ly)
        chunk : int, optional
            Evaluate this many at a time; by default as many as suit the cache.
        progbar : bool, optional
            Show a progress bar over the chunks.
        plan : Plan, optional
            How to evaluate, see `ConvAC.plan`.

        Returns
        -------
        array, shape (B,)

        Raises
        ------
        ConfigError, RangeError
            As `amplitude`.
        """
        return self._scaled_amplitudes(configs, chunk, progbar, plan).plain()

    def log_amplitudes(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        plan: Plan | None = None,
    ) -> tuple[Any, Any]:
        """Phase and natural logarithm of a batch of amplitudes; never leaves the range of floats.

        Parameters
        ----------
        configs, chunk, progbar, plan
            See `amplitudes`.

        Returns
        -------
        phase : array, shape (B,)
            ``psi / |psi|``, a number of size one (not an angle), in the dtype of the weights.
        logabs : array, shape (B,)
            ``log |psi|``, real. An amplitude of zero gives ``(0, -inf)``.

        Raises
        ------
        ConfigError
            If ``configs`` are not basis states of the sites.
        """
        return self._scaled_amplitudes(configs, chunk, progbar, plan).phase_and_log()

    def flip_ratios(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        """The ratios ``psi(s with s_n := m) / psi(s)`` for every site n and every value m.

        Parameters
        ----------
        configs : array_like of int, shape (B, L) or (B, Lx, Ly)
        chunk : int, optional
            Evaluate this many at a time; by default as many as suit the cache.
        progbar : bool, optional
            Show a progress bar over the chunks.
        max_bytes : int, optional
            Refuse a result that would need more.

        Returns
        -------
        array, shape (B, N, phys_dim)
            Sites flat, in the order of `sites`; 1 where m is the value that the site has, 0 below
            the range of the dtype. Where psi(s) is zero, all nan.

        Raises
        ------
        ConfigError
            If ``configs`` are not basis states of the sites.
        BudgetError
            If the result would be too large.
        RangeError
            If a ratio is above the range of the dtype, or the network is too deep for ratios.

        Notes
        -----
        Metropolis sampling and local energies need just these. For a `ConvAC` only the windows that
        hold the site are evaluated again; for a `RAC` the steps from the site on.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=4, seed=0)
        >>> ratios = net.flip_ratios([[0, 1, 1, 0, 0, 0]])
        >>> exact = net.amplitude("011010") / net.amplitude("011000")
        >>> bool(abs(ratios[0, 4, 1] / exact - 1) < 1e-12)
        True
        """
        return Evaluator(self, calls=1).flip_ratios(configs, chunk, progbar, max_bytes)

    def log_derivatives(
        self,
        configs: Any,
        chunk: int | None = None,
        progbar: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        """The derivatives of log psi by every parameter, for each configuration.

        Parameters
        ----------
        configs : array_like of int, shape (B, L) or (B, Lx, Ly)
        chunk : int, optional
            Differentiate this many at a time; by default as many as suit the cache.
        progbar : bool, optional
            Show a progress bar over the chunks.
        max_bytes : int, optional
            Refuse a result that would need more.

        Returns
        -------
        array, shape (B, num_params)
            ``d log psi / d theta``, holomorphic for complex weights, in the order of `params`, each
            parameter flattened. Where psi is zero, nan.

        Raises
        ------
        ConfigError
            If ``configs`` are not basis states of the sites.
        BudgetError
            If the result would be too large.

        Notes
        -----
        These are the log-derivatives ``O_k`` of stochastic reconfiguration (Sorella, Phys. Rev.
        Lett. 80, 4558). No gradients flow through the result.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.RAC.rand(8, depth=2, bond_dim=3, seed=0)
        >>> net.log_derivatives([[0, 1] * 4, [1, 0] * 4]).shape
        (2, 42)
        """
        return Evaluator(self, calls=1).log_derivatives(configs, chunk, progbar, max_bytes)

    def evaluator(self, batch: int | None = None) -> Evaluator:
        """What the calls above prepare, kept between calls: for loops over batches.

        Parameters
        ----------
        batch : int, optional
            How many configurations each call will bring; by default as many as the first brings.

        Returns
        -------
        Evaluator

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> ev = qdn.RAC.rand(8, depth=2, bond_dim=3, seed=0).evaluator()
        >>> [ev.log_amplitudes([[n] * 8])[1].shape for n in range(2)]
        [(1,), (1,)]
        """
        return Evaluator(self, batch)

    def to_dense(self, *inds_seq: Any, max_bytes: int = MAX_BYTES) -> Any:
        """The whole state as a column vector, in the order of quimb's ``to_dense``.

        Parameters
        ----------
        max_bytes : int, optional
            Refuse a state that needs more. On the way, three arrays of its size are held.

        Returns
        -------
        array, shape (phys_dim**N, 1)

        Raises
        ------
        OptionError
            If groups of indices are given, which a network does not have.
        BudgetError
            If the state would be too large.
        RangeError
            If an amplitude leaves the range of the dtype.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, seed=0).to_dense().shape
        (65536, 1)
        """
        if inds_seq:
            raise OptionError(
                f"to_dense{inds_seq} groups indices, but a network has none; use "
                "net.collapse().to_dense(['k0'], ...), or name max_bytes=."
            )
        check_positive_int("max_bytes", max_bytes, OptionError)
        need = 3 * self.phys_dim**self.nsites * self._like.itemsize
        if need > max_bytes:
            raise BudgetError(
                f"the dense state of {self.phys_dim}**{self.nsites} amplitudes needs {need} bytes, "
                f"more than max_bytes={max_bytes}; evaluate the amplitudes that you need with "
                "log_amplitudes, or raise max_bytes."
            )
        return self._scaled_state(max_bytes).plain().reshape(-1, 1)

    def _scaled_state(self, max_bytes):
        """All scaled amplitudes; here one by one, in blocks."""
        count, block = self.phys_dim**self.nsites, 2**16
        parts = [
            self._scaled_amplitudes(
                config_block(start, min(count, start + block), self.geometry.shape, self.phys_dim)
            )
            for start in range(0, count, block)
        ]
        return Scaled(*(do("concatenate", part, axis=0) for part in zip(*parts)))

    def _scaled_amplitudes(self, configs, chunk=None, progbar=False, plan=None):
        plan = None if plan is None else self._check_plan(plan)
        return Evaluator(self, calls=1).scaled_amplitudes(configs, chunk, progbar, plan)

    def _check_plan(self, plan):
        """Refuse a plan that was made for another network."""
        if getattr(plan, "geometry", None) != self.geometry:
            made_for = getattr(plan, "geometry", type(plan).__name__)
            raise OptionError(
                f"plan= was made for {made_for}, not for {self.geometry}; use the plan() of this "
                "network."
            )
        return plan

    @property
    def _is_complex(self):
        """Whether amplitudes are complex numbers."""
        return "complex" in self.dtype

    @property
    def _machine(self):
        """The costs of evaluation on the device of the weights."""
        return machine_of(self._like)

    def plan(self, batch: int) -> Plan:
        """How a batch of amplitudes would be evaluated."""
        return general_plan(self, batch)

    def _evaluate_by(self, plan):
        """A function from digits ``(N, B)`` to scaled amplitudes ``(B,)``."""
        raise NotImplementedError

    def _evaluate_by_layers(self, x):
        """The scaled amplitudes of digits ``(N, B)``, looking at no number that is traced."""
        return self._evaluate_by(self.plan(max(1, x.shape[1])))(x)

    def _ratios_by(self, masks, batch):
        """A function from digits ``(N, B)`` to ratios ``(B, m)``, and how many at once."""
        return masked_ratios(self, masks, batch)

    def _derivatives_by(self):
        """A function from digits ``(N, B)`` to ``(B, num_params)``, and how many at once."""
        return autograd_derivatives(self)

    def _derivative_factors_by(self):
        """A function from digits ``(N, B)`` to `FactoredRows`; None without factors."""
        return None

    def _chain_tables(self):
        """What compiled Markov chains read, see `evaluation.chains`; None where there are none."""
        return None
