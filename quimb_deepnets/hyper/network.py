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
import sys
from typing import Any

import numpy as np
from autoray import infer_backend
from quimb.tensor import Tensor, TensorNetwork
from quimb.tensor.fitting import tensor_network_distance
from quimb.tensor.tensor_core import oset, oset_union, rand_uuid

from ..errors import Guide, MethodError, OptionError, RangeError
from ..lazy import LazyMethod
from ..numerics.scaled import binary, readable
from ..numerics.torch_modes import full_precision
from ..numerics.weights import make_rng
from .checks import as_state, check_network, check_same_outer, with_slopes_checked
from .exhaustive import EXHAUSTIVE
from .identities import absorb_identities
from .memory import memory_errors_named, within_memory
from .names import SWITCH, plain_name
from .operands import SEEN, OperandNetwork, inverse, read_scalar
from .parts import PartNetwork
from .pictures import DrawnNetwork
from .ranges import Contracted, contract_scaled, growth, is_certain
from .refusals import refuse
from .search import SEARCHED, BestOf
from .trees import check_preset, tree_of

MAX_EXPONENT = 250  # decimal: beyond, plain numbers leave the range of floats
MAX_GROWTH = 800  # bits: beyond, a plain contraction is hardly ever certain
# the functions of quimb between ``mps & psi`` or ``mps @ psi`` and the network that it makes
MAKERS = [getattr(TensorNetwork, f).__code__ for f in ("add_tensor_network", "add", "__init__")]
OPERATORS = TensorNetwork.combine.__code__, TensorNetwork.__matmul__.__code__
DISTANCE = tensor_network_distance.__code__
TREE_OPTIONS = {"backend", "order", "prefer_einsum", "progbar"}
QUIMB_OPTIONS = {"cache", "cache_expression", "canonicalize", "drop_tags", "implementation", "via"}


@refuse
class HyperTensorNetwork(Guide, DrawnNetwork, OperandNetwork, TensorNetwork):
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

    _EXTRA_PROPS: Any = ()
    _CONTRACT_STRUCTURED = False
    _advice: Any = LazyMethod("tensors.guides", "advice_on_state")

    def combine(self, other, *, virtual=False, check_collisions=True):
        """Combine with another tensor network, without contracting.

        As quimb's, but inner indices that clash are renamed in a copy of ``other``, never in
        ``other`` itself, and the result is a hyper network.
        """
        other = TensorNetwork(other) if isinstance(other, (list, tuple)) else as_state(other)
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
        if not tn._is_concrete():
            found = tn.contract(output_inds=(), strip_exponent=strip_exponent, **contract_opts)
            mantissa, exponent = found if strip_exponent else (found, 0.0)
            size = abs(mantissa) if squared else abs(mantissa) ** 0.5
            return (size, exponent if squared else exponent * 0.5) if strip_exponent else size
        found = tn._contracted((), scaled=strip_exponent, **contract_opts).map(abs)
        power = 1 if squared else 0.5
        return found.decimal(power) if strip_exponent else found.in_range(power)

    def make_overlap(self, other, layer_tags=("KET", "BRA"), output_inds=None, return_all=False):
        """The network of the overlap with a state on the same sites, see quimb.

        Raises
        ------
        SitesError
            If the outer indices differ: quimb would sum over those that do not match.
        """
        check_same_outer(self, other)
        return super().make_overlap(other, layer_tags, self.outer_inds(), return_all)

    def mangle_inner_(self, append=None, which=None):
        """Give inner indices new names, see quimb; without ``append`` their plain names stay."""
        if append is None:
            which = self.inner_inds() if which is None else which
            return self.reindex_({ix: plain_name(ix) + rand_uuid() for ix in which})
        return super().mangle_inner_(append, which)

    def randomize(self, dtype=None, seed=None, inplace=False, **randn_opts):
        """Draw every tensor anew, see quimb; ``seed`` is one as in ``ConvAC.rand``.

        Raises
        ------
        OptionError
            If ``seed`` is not a seed.
        """
        rng = make_rng(seed)
        if seed is not None and not isinstance(seed, int):  # quimb takes ints alone
            number = getattr(seed, "shape", None) == ()
            seed = int(seed) if number else int(rng.integers(2**63))
        return super().randomize(dtype=dtype, seed=seed, inplace=inplace, **randn_opts)

    randomize_ = functools.partialmethod(randomize, inplace=True)

    # ------------------------------------------------------------ contraction

    @full_precision
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

        Notes
        -----
        quimb's ``mps.distance(psi)`` gets a network of one tensor, which converts the tensor of
        the MPS to its own library and dtype where quimb's overlap of two tensors would not.
        """
        asking = sys._getframe(2)  # behind full_precision
        if asking.f_code is DISTANCE and asking.f_locals["tnB"] is self:
            return HyperTensorNetwork((self.contract(output_inds=output_inds, **kwargs),))
        whole = (tags is all or tags is ...) and not kwargs.get("inplace")
        if whole and output_inds is None:
            output_inds = self.outer_inds()
        elif whole and not set(self._open_inds()) <= set(output_inds):
            self._raise_open_error(set(self._open_inds()).difference(output_inds))
        if not whole:  # contract_tags reads optimize= for the tensors that it takes
            return super().contract(
                tags, output_inds=output_inds, strip_exponent=strip_exponent, **kwargs
            )
        kwargs = {k: v for k, v in kwargs.items() if v is not None and v is not False}
        if not kwargs.keys() & {"get", "max_bond"} and self._is_concrete():
            found = self._contracted(output_inds, scaled=strip_exponent, **kwargs)
            return found.decimal() if strip_exponent else found.in_range()
        tn = self._prepared(output_inds)
        if (optimize := tn._found(kwargs.get("optimize"), output_inds)) is not None:
            kwargs["optimize"] = optimize
        return super(HyperTensorNetwork, tn).contract(
            tags, output_inds=output_inds, strip_exponent=strip_exponent, **kwargs
        )

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
        tids = sorted(self._get_tids_from_tags(tags, which=which))
        if output_inds is None:
            output_inds = self.compute_contracted_inds(*tids)
        if tids:
            tensors = [self.tensor_map[tid] for tid in tids]
            optimize = kwargs.pop("optimize", None)
            optimize = None if optimize is None else _found(optimize, tensors, output_inds)
            if (path := within_memory(tensors, output_inds, optimize)) is not None:
                kwargs["optimize"] = path
        cuts = dict(self._cuts)
        result = super().contract_tags(tags, which=which, output_inds=output_inds, **kwargs)
        if isinstance(result, PartNetwork):
            result._cuts = cuts  # the tensors taken out are back
        return result

    contract_tags_ = functools.partialmethod(contract_tags, inplace=True)

    def contraction_path(self, optimize=None, output_inds=None, **kwargs):
        """The contraction path of the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn = self._prepared(output_inds)
        optimize = tn._found(optimize, output_inds)
        return super(HyperTensorNetwork, tn).contraction_path(optimize, output_inds, **kwargs)

    def contraction_info(self, optimize=None, output_inds=None, **kwargs):
        """The ``opt_einsum.PathInfo`` of contracting the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn = self._prepared(output_inds)
        optimize = tn._found(optimize, output_inds)
        return super(HyperTensorNetwork, tn).contraction_info(optimize, output_inds, **kwargs)

    def contraction_tree(self, optimize=None, output_inds=None, **kwargs):
        """The ``cotengra.ContractionTree`` of the whole network, see quimb."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        tn = self._prepared(output_inds)
        optimize = tn._found(optimize, output_inds)
        return super(HyperTensorNetwork, tn).contraction_tree(optimize, output_inds, **kwargs)

    def _prepared(self, output_inds):
        """The same network as it is contracted: no inner indices of size 1, no identities."""
        return absorb_identities(self._squeezed(output_inds), output_inds)

    def _found(self, optimize, output_inds):
        """The optimizer for the whole network: where none is given, the best of several.

        That is for networks with a tag of `SEARCHED`; others take quimb's default.
        """
        if optimize is None:
            return None if SEARCHED.isdisjoint(self.tag_map) else BestOf()
        return _found(optimize, tuple(self), output_inds)

    def _squeezed(self, output_inds):
        """The same network without inner indices of size 1, which would only pile up as axes.

        numpy takes 64 axes, and its einsum 52 names of them.
        """
        trivial = [ix for ix in self._inner_inds - oset(output_inds) if self.ind_size(ix) == 1]
        return self.squeeze(include=trivial) if trivial else self

    def __matmul__(self, other):
        """Overload ``@``: contract with another network over all indices that match."""
        return self.combine(other) ^ all

    @property
    def exponent(self):
        """The decimal exponent before the network, see quimb.

        quimb's ``mps & psi``, ``mps | psi`` and ``mps @ psi`` make a plain network and read this
        when they add the second operand; the network they make then becomes a hyper network, as
        it is with the operands the other way round.
        """
        frame: Any = sys._getframe(1)
        if frame.f_code is MAKERS[0] and type(made := frame.f_locals["self"]) is TensorNetwork:
            for code in MAKERS:
                frame = frame.f_back if frame is not None and frame.f_code is code else None
            if frame is not None and frame.f_code in OPERATORS:
                made.__class__ = HyperTensorNetwork
                HyperTensorNetwork._unify(made)  # type: ignore[arg-type]
        return self.__dict__["exponent"]

    @exponent.setter
    def exponent(self, value):
        """Set the decimal exponent."""
        self.__dict__["exponent"] = value

    # quimb's base classes on the left leave ``&``, ``|`` and ``@`` to this one

    def __rand__(self, other):
        return HyperTensorNetwork(other.as_network(virtual=False)).combine(self)

    def __ror__(self, other):
        return HyperTensorNetwork(other.as_network(), virtual=True).combine(self, virtual=True)

    def __rmatmul__(self, other):
        return (other & self) ^ all

    # ------------------------------------------------------------ scalars

    def multiply(self, x, inplace=False, spread_over=8):
        """Multiply with a scalar, spread over some tensors, see quimb.

        Raises
        ------
        OptionError
            If it is not a number.
        RangeError
            If it is inf or nan.
        """
        x = read_scalar(x)
        if infer_backend(x) in SEEN:
            if not bool(abs(x) < math.inf):
                raise RangeError(f"a state times {x} is not finite; multiply with a finite number.")
            if bool(x == 0):
                spread_over = 1  # spread, quimb would divide zero by its size
        return super().multiply(x, inplace, spread_over)

    multiply_ = functools.partialmethod(multiply, inplace=True)

    def __truediv__(self, other):
        return self.multiply(inverse(other))

    def __itruediv__(self, other):
        return self.multiply_(inverse(other))

    def _is_concrete(self):
        """Whether the numbers can be looked at: no compiler traces them, no vmap stacks them."""
        return all(infer_backend(t.data) == "builtins" or readable(t.data) for t in self)

    @full_precision
    def _contracted(self, output_inds, scaled=False, preserve_tensor=False, **kwargs):
        """The whole network contracted, whatever size its numbers have.

        Parameters
        ----------
        output_inds : sequence of str
        scaled : bool, optional
            Scale every intermediate, and contract the terms of sums one by one, even where plain
            numbers would do.
        preserve_tensor : bool, optional
            Return a tensor even if it has no legs.
        **kwargs
            As `contract` takes them.

        Returns
        -------
        Contracted
        """
        with memory_errors_named():
            return self._contract_here(output_inds, scaled, preserve_tensor, **kwargs)

    def _contract_here(self, output_inds, scaled, preserve_tensor, optimize=None, **kwargs):
        """See `_contracted`."""
        if unknown := sorted(kwargs.keys() - TREE_OPTIONS - QUIMB_OPTIONS):
            raise OptionError(
                f"{unknown[0]}={kwargs[unknown[0]]!r} is not an option of a contraction; use "
                f"optimize or one of {', '.join(sorted(TREE_OPTIONS | QUIMB_OPTIONS))}."
            )
        tn = self._prepared(output_inds)
        check_network(tn)
        tn = with_slopes_checked(tn)
        optimize = within_memory(tuple(tn), output_inds, tn._found(optimize, output_inds))
        as_tensor = bool(output_inds) or preserve_tensor
        if not scaled and abs(tn.exponent) < MAX_EXPONENT:
            grown = growth(tn, output_inds)
            if grown < MAX_GROWTH:
                opts = kwargs if optimize is None else {"optimize": optimize, **kwargs}
                with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                    plain = super(HyperTensorNetwork, tn).contract(
                        all, output_inds=output_inds, preserve_tensor=as_tensor, **opts
                    )
                found = Contracted(plain, 0.0)
                if is_certain(found.array, grown + binary(tn.exponent)):
                    return found
        tree = tn.contraction_tree(optimize, output_inds=output_inds)
        coefficients = (tn.tensor_map[tid] for tid in tn.tag_map.get("SWITCH", ()))
        switches = {t.inds[0] for t in coefficients if t.ndim == 1}
        switches.update(ix for ix in tn.ind_map if plain_name(ix) == SWITCH)  # simplified away
        summed = sorted(switches.difference(output_inds))
        inds = [t.inds for t in tn]
        opts = {key: kwargs[key] for key in kwargs.keys() & TREE_OPTIONS}
        found = contract_scaled(tree, tn.arrays, inds, summed, **opts)
        if as_tensor:
            tags = oset_union(t.tags for t in tn)
            found = found.map(lambda x: Tensor(x, tuple(output_inds), tags))
        exponent = binary(tn.exponent)
        largest = None if found.largest is None else found.largest + float(exponent)
        return found._replace(bits=found.bits + exponent, largest=largest)

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


def _found(optimize, tensors, output_inds):
    """A name as it is; any other optimizer, tree or path as the tree that it gives."""
    if isinstance(optimize, BestOf):
        return optimize
    if isinstance(optimize, str) and check_preset(optimize) not in EXHAUSTIVE:
        return optimize
    sizes = {ix: size for t in tensors for ix, size in zip(t.inds, t.shape)}
    return tree_of([t.inds for t in tensors], tuple(output_inds), sizes, optimize)
