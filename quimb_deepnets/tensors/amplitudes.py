"""Amplitudes of states that were made from a network: evaluated by it, or contracted.

::

    psi --tensors unchanged--> the network --> amplitudes
     |
     +---gated, fixed, ...---> every site fixed, contracted, one configuration after another
"""

from autoray import astype, do, get_dtype_name, stop_gradient

from ..errors import OptionError, SitesError
from ..hyper.vector import HyperVector
from ..jobs.progress import progress
from ..numerics.configs import check_configs, parse_config
from ..numerics.scaled import Scaled, binary


class StateAmplitudes(HyperVector):
    """A `HyperVector` that may still hold the network it was made from, with amplitudes."""

    _source = None  # what the tensors hold

    def _held_network(self):
        """The network whose weights the tensors hold, or None if they hold none any more."""
        raise NotImplementedError

    def _axes(self):
        """The shape of a configuration, and the dimension of each site."""
        present = [ix for ix in map(self.site_ind, self.sites) if ix in self.ind_map]
        dim = max(map(self.ind_size, present), default=1)
        return self._extent or (self.nsites,), dim

    def copy(self, virtual=False, deep=False):
        """Copy the network, see quimb."""
        new = super().copy(virtual=virtual, deep=deep)
        new._source = self._source
        return new

    __copy__ = copy

    def amplitude(self, config, optimize=None):
        """The amplitude of one configuration.

        Parameters
        ----------
        config : str or array_like of int
            As `ConvAC.amplitude` takes it.
        optimize : str or optimizer or ContractionTree, optional
            Contract the tensors, and find the path so, as quimb's `contract` takes it.
            By default the network that the tensors hold evaluates the amplitude; a contraction is
            what remains after a gate, for ``nodes="dense"``, or where copies of a weight differ.

        Returns
        -------
        scalar
            An array scalar of the backend and dtype of the tensors.

        Raises
        ------
        ConfigError
            If ``config`` is not a basis state of the sites.
        SitesError
            If a site was fixed or contracted before.
        RangeError
            If the amplitude leaves the range of the dtype; `log_amplitudes` has no such limit.
        """
        config = parse_config(config, *self._axes())
        return self.amplitudes(config[None], optimize)[0]

    def amplitudes(self, configs, optimize=None, chunk=None, progbar=False, plan=None):
        """The amplitudes of a batch of configurations, ``(B, *shape)`` to ``(B,)``.

        ``optimize`` is as in `amplitude`; ``chunk``, ``progbar`` and ``plan`` are those of
        `ConvAC.amplitudes`. A contraction takes one configuration at a time and no plan.
        """
        found = self._scaled_amplitudes(configs, optimize, chunk, progbar, plan)
        return found.plain() if isinstance(found, Scaled) else found

    def log_amplitudes(self, configs, optimize=None, chunk=None, progbar=False, plan=None):
        """Phase and natural logarithm of a batch of amplitudes, as `ConvAC.log_amplitudes`."""
        found = self._scaled_amplitudes(configs, optimize, chunk, progbar, plan)
        if isinstance(found, Scaled):
            return found.phase_and_log()
        size = do("abs", found)
        return found / (size + (size == 0)), do("log", size)

    def _scaled_amplitudes(self, configs, optimize=None, chunk=None, progbar=False, plan=None):
        """From the network if the tensors still hold one, else by contraction."""
        network = None if optimize is not None else self._held_network()
        if network is not None:
            return network._scaled_amplitudes(configs, chunk, progbar, plan)
        if plan is not None:
            raise OptionError(
                "plan= is for the network, and this state is contracted: leave it out, or leave "
                "out optimize and give a state that was not changed."
            )
        return self._contracted_amplitudes(configs, optimize, progbar)

    def _contracted_amplitudes(self, configs, optimize, progbar):
        """Fix every site, contract to a mantissa and an exponent, one tree for all.

        Numbers that cannot be looked at (jax.jit, autograd) are contracted to plain amplitudes.
        """
        configs = check_configs(configs, *self._axes())
        inds = tuple(map(self.site_ind, self.sites))
        if missing := [ix for ix in inds if ix not in self.ind_map]:
            raise SitesError(
                f"the state has no index {missing[0]!r} any more (fixed or contracted), but an "
                "amplitude needs every site; contract what is left instead."
            )
        traced = not self._is_concrete()
        zero = stop_gradient(next(iter(self)).data).reshape(-1)[0] * 0
        pairs = [(zero, 0.0)]  # so that an empty batch has a dtype
        for config in progress(configs.reshape(len(configs), len(inds)), progbar):
            tn = self.isel(dict(zip(inds, map(int, config))))
            optimize = tn.contraction_tree(optimize, output_inds=())
            if traced:
                pairs.append((tn.contract(output_inds=(), optimize=optimize), 0.0))
                continue
            pairs.append(tn.contract(output_inds=(), strip_exponent=True, optimize=optimize))
        if traced:
            values = [value for value, _ in pairs[1:]]
            return do("stack", values, like=values[0]) if values else zero[None][:0]
        mantissa, exponent = (do("stack", tuple(zero + x for x in col)) for col in zip(*pairs))
        return _from_decimal(mantissa[1:], do("real", exponent)[1:])


def _from_decimal(mantissa, exponent):
    """The numbers ``mantissa * 10**exponent`` as scaled ones; gradients flow through both."""
    power = binary(astype(exponent, "float64"))
    whole = do("round", stop_gradient(power))
    factor = astype(do("exp2", power - whole), get_dtype_name(do("real", mantissa)))
    return Scaled(mantissa * factor, whole).rescale(axes=0)
