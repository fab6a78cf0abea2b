"""Tensor networks whose inner indices may sit on more than two tensors, made safe to contract.

quimb asks for ``output_inds`` as soon as an index appears more than twice, because on such a
hyper-index it cannot tell whether it is summed. Here it can: the outer indices are those on
exactly one tensor, every other index is summed::

      k0          outer: on one tensor, kept
      |
    DELTA
      | _x0       hyper: on three tensors, summed
    .-+-.
    W   W
"""

import functools
import math
from contextlib import nullcontext

import numpy as np
from autoray import do, get_dtype_name, infer_backend, stop_gradient
from quimb.tensor import Tensor, TensorNetwork
from quimb.tensor.tensor_core import oset, oset_union

from ..errors import MethodError, OptionError, RangeError, SitesError
from .parts import PartNetwork
from .refusals import refuse
from .search import BestOf
from .wires import absorb_wires


@refuse
class HyperTensorNetwork(PartNetwork, TensorNetwork):
    """A `TensorNetwork` in which an index on exactly one tensor is outer, any other summed.

    It contracts without ``output_inds``, and stays what it is when combined with other networks.

    Examples
    --------
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> cubes = qtn.TensorNetwork([qtn.Tensor([1.0, 2.0, 3.0], ("a",)) for _ in range(3)])
    >>> float(qdn.HyperTensorNetwork(cubes).contract())
    36.0
    """

    _EXTRA_PROPS = ()
    _CONTRACT_STRUCTURED = False

    def combine(self, other, *, virtual=False, check_collisions=True):
        """Combine with another tensor network, without contracting.

        As quimb's, but inner indices that clash are renamed in a copy of ``other``, never in
        ``other`` itself, and the result is a hyper network.
        """
        other = other.as_network() if hasattr(other, "as_network") else TensorNetwork(other)
        new = HyperTensorNetwork((self,), virtual=virtual, check_collisions=False)
        new._cuts = dict(self._cuts)
        new.add_tensor_network(other, virtual=virtual, check_collisions=check_collisions)
        return new

    def make_norm(
        self, mangle_append="*", layer_tags=("KET", "BRA"), output_inds=None, return_all=False
    ):
        """The network of the squared norm, see quimb; its outer indices are always known."""
        if output_inds is not None and set(output_inds) != set(self.outer_inds()):
            raise OptionError(
                f"output_inds={output_inds!r} are not the outer indices {self.outer_inds()}; the "
                "norm sums over just these, so leave output_inds out."
            )
        return super().make_norm(mangle_append, layer_tags, self.outer_inds(), return_all)

    def norm(self, output_inds=None, squared=False, strip_exponent=False, **contract_opts):
        """The Frobenius norm, see quimb; round-off never makes it nan."""
        tn = self.make_norm(output_inds=output_inds, layer_tags=None)
        found = tn.contract(output_inds=(), strip_exponent=strip_exponent, **contract_opts)
        mantissa, exponent = found if strip_exponent else (found, 0.0)
        size = abs(mantissa) if squared else abs(mantissa) ** 0.5
        return (size, exponent if squared else exponent * 0.5) if strip_exponent else size

    def make_overlap(self, other, layer_tags=("KET", "BRA"), output_inds=None, return_all=False):
        """The network of the overlap with a state on the same sites, see quimb.

        Raises
        ------
        SitesError
            If the outer indices differ: quimb would sum over those that do not match.
        """
        check_same_outer(self, other)
        return super().make_overlap(other, layer_tags, self.outer_inds(), return_all)

    # ------------------------------------------------------------ contraction

    def contract(self, tags=..., output_inds=None, strip_exponent=False, **kwargs):
        """Contract all or some of the tensors; every index on one tensor only is an output.

        Parameters
        ----------
        tags, output_inds, strip_exponent, **kwargs
            As in quimb's `TensorNetwork.contract`; ``output_inds`` may be left out.

        Raises
        ------
        RangeError
            If the result of a whole contraction leaves the range of its dtype; then
            ``strip_exponent=True`` returns its mantissa and its exponent.
        """
        whole = (tags is all or tags is ...) and not kwargs.get("inplace")
        if whole and output_inds is None:
            output_inds = self.outer_inds()
        elif whole and not set(self._open_inds()) <= set(output_inds):
            self._raise_open_error(set(self._open_inds()).difference(output_inds))
        if not whole:
            return super().contract(
                tags, output_inds=output_inds, strip_exponent=strip_exponent, **kwargs
            )
        kwargs = {k: v for k, v in kwargs.items() if v is not None and v is not False}
        tn = self._prepared(output_inds)
        if (optimize := self._default_optimize(kwargs.get("optimize"))) is not None:
            kwargs["optimize"] = optimize
        checked = not kwargs.keys() & {"get", "max_bond"} and tn._is_concrete()
        if checked and strip_exponent:
            return tn._contract_scaled(output_inds, **kwargs)
        if checked and abs(tn.exponent) > 250:
            return tn._contract_large(output_inds, **kwargs)
        with np.errstate(over="ignore", invalid="ignore") if checked else nullcontext():
            result = super(HyperTensorNetwork, tn).contract(
                tags, output_inds=output_inds, strip_exponent=strip_exponent, **kwargs
            )
        if checked:
            tn._check_range(result, output_inds, kwargs.get("optimize"))
        return result

    contract_ = functools.partialmethod(contract, inplace=True)

    def to_dense(self, *inds_seq, **kwargs):
        """The network as a dense array with grouped indices, see quimb.

        Raises
        ------
        MethodError
            If a tensor joined with its own conjugate keeps both ends of a hyper-index open, as
            belief propagation does, whose messages run along bonds between two tensors.
        """
        cuts = [self._cuts[ix] for inds in inds_seq for ix in inds if ix in self._cuts]
        if len(set(cuts)) < len(cuts):
            self._raise_open_error(inds_seq[-1])
        return super().to_dense(*inds_seq, **kwargs)

    def contract_tags(self, tags, which="any", output_inds=None, **kwargs):
        """Contract the tensors that match ``tags``; indices needed elsewhere are kept."""
        if output_inds is None:
            output_inds = self.compute_contracted_inds(*self._get_tids_from_tags(tags, which=which))
        cuts = dict(self._cuts)
        result = super().contract_tags(tags, which=which, output_inds=output_inds, **kwargs)
        if isinstance(result, PartNetwork):
            result._cuts = cuts  # what was taken out is back
        return result

    contract_tags_ = functools.partialmethod(contract_tags, inplace=True)

    def contraction_path(self, optimize=None, output_inds=None, **kwargs):
        """The contraction path of the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn, optimize = self._prepared(output_inds), self._default_optimize(optimize)
        return super(HyperTensorNetwork, tn).contraction_path(optimize, output_inds, **kwargs)

    def contraction_info(self, optimize=None, output_inds=None, **kwargs):
        """The ``opt_einsum.PathInfo`` of contracting the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn, optimize = self._prepared(output_inds), self._default_optimize(optimize)
        return super(HyperTensorNetwork, tn).contraction_info(optimize, output_inds, **kwargs)

    def contraction_tree(self, optimize=None, output_inds=None, **kwargs):
        """The ``cotengra.ContractionTree`` of the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn, optimize = self._prepared(output_inds), self._default_optimize(optimize)
        return super(HyperTensorNetwork, tn).contraction_tree(optimize, output_inds, **kwargs)

    def _prepared(self, output_inds):
        """The same network as it is contracted: no inner indices of size 1, no wires."""
        return absorb_wires(self._squeezed(output_inds), output_inds)

    def _default_optimize(self, optimize):
        """Where no optimizer is given: for states with windows or wires, the best of several."""
        special = "WINDOW" in self.tag_map or "WIRE" in self.tag_map
        return BestOf() if optimize is None and special else optimize

    def _squeezed(self, output_inds):
        """The same network without inner indices of size 1, which would only pile up as axes.

        numpy takes 64 axes, and its einsum 52 names of them.
        """
        trivial = [ix for ix in self._inner_inds - oset(output_inds) if self.ind_size(ix) == 1]
        return self.squeeze(include=trivial) if trivial else self

    def __matmul__(self, other):
        """Overload ``@``: contract with another network over all indices that match."""
        return self.combine(other) ^ all

    def _is_concrete(self):
        """Whether the numbers can be looked at (and are not being traced by a compiler)."""
        return all(infer_backend(t.data) in ("numpy", "torch") for t in self)

    def _contract_scaled(
        self, output_inds, optimize=None, preserve_tensor=False, backend=None, **kwargs
    ):
        """Contract to a mantissa and a decimal exponent, from entries up to 1; zero is (0, 0)."""
        arrays, start = [], self.exponent
        for x in self.arrays:
            size = do("max", do("abs", stop_gradient(x)))
            if bool(size != 0):
                x, start = x / size, start + math.log10(float(size))
            arrays.append(x)
        tree = self.contraction_tree(optimize, output_inds=output_inds)
        mantissa, exponent = tree.contract(
            arrays, strip_exponent=True, check_zero=True, backend=backend, **kwargs
        )
        if not bool(do("any", mantissa != 0)):
            start, exponent = 0.0, 0.0
        if output_inds or preserve_tensor:
            mantissa = Tensor(mantissa, output_inds, oset_union(t.tags for t in self))
        return mantissa, exponent + start

    def _contract_large(self, output_inds, preserve_tensor=False, **kwargs):
        """Contract a network whose exponent alone is about the range of floats."""
        mantissa, exponent = self._contract_scaled(output_inds, preserve_tensor=True, **kwargs)
        info = np.finfo(get_dtype_name(mantissa.data))
        if bool(do("any", mantissa.data != 0)) and not (
            math.log10(info.tiny) < exponent < math.log10(info.max)
        ):
            self._raise_range_error(f"entries of about 10**{float(exponent):.0f}")
        mantissa.modify(apply=lambda x: x * 10.0 ** float(exponent))
        return mantissa if output_inds or preserve_tensor else mantissa.data

    def _check_range(self, result, output_inds, optimize):
        """Refuse inf, nan, and a zero that is none."""
        data = result.data if isinstance(result, Tensor) else result
        if not bool(do("all", do("isfinite", data))):
            self._raise_range_error("inf or nan")
        if not bool(do("any", data != 0)):
            mantissa, exponent = self._contract_scaled(output_inds, optimize, preserve_tensor=True)
            if bool(do("any", mantissa.data != 0)):
                self._raise_range_error(f"entries of about 10**{float(exponent):.0f}")

    def _open_inds(self):
        """The hyper-indices of this part that tensors outside carry as well."""
        return [ix for ix in self._cuts if ix in self.ind_map]

    @staticmethod
    def _raise_open_error(inds):
        raise MethodError(
            f"the index {min(inds)!r} joins more than two tensors, some of them outside this part, "
            "so a sum over it here would be wrong, and so would belief propagation between the "
            "parts; use hyperinds_resolve() first, which writes COPY tensors."
        )

    @staticmethod
    def _raise_range_error(found):
        raise RangeError(
            f"the contraction left the range of its dtype ({found}); use strip_exponent=True, "
            "which returns a mantissa and an exponent, or log_amplitudes for single amplitudes."
        )


def check_same_outer(psi, phi):
    """Refuse two networks with different outer indices."""
    if not hasattr(phi, "as_network"):
        raise SitesError(
            f"a {type(phi).__name__} is no state on sites; give a quimb network, such as "
            "qtn.Dense1D(vector) for a dense vector of a chain."
        )
    mine, theirs = set(psi.outer_inds()), set(phi.as_network().outer_inds())
    if mine != theirs:
        raise SitesError(
            f"the outer indices differ: {sorted(mine - theirs)[:4]} only here, "
            f"{sorted(theirs - mine)[:4]} only there; give both states the same sites and "
            "site_ind_id (reindex_all renames them), and join duplicated legs with dup."
        )
