"""Contraction problems as hypergraphs: which tensors, which indices, which stay; no arrays.

::

    inputs     (a, b)  (b, c)  (b, d)        --search-->  ContractionTree
    output     (a,)                          --to_json--> {"inputs": ..., "output": ..., ...}
    size_dict  a: 2, b: 4, c: 2, d: 3        --to_equation--> "ab,bc,bd->a"

Without arrays a network of 10**5 tensors takes seconds and a few hundred MiB.
"""

import contextlib
import dataclasses
import json
import math
import numbers
import operator
import reprlib
from collections import Counter
from dataclasses import dataclass, field

import cotengra as ctg

from ..errors import BudgetError, DeepNetError, OptionError, check_positive_int
from ..numerics.atomic import as_path, written
from .optimizers import check_optimizer, find_tree, ssa_path

JSON_KEYS = ("inputs", "output", "size_dict")


@dataclass(frozen=True, repr=False)
class Hypergraph:
    """A contraction problem without its numbers.

    Attributes
    ----------
    inputs : tuple[tuple[str]]
        The indices of each tensor; one that occurs twice means the diagonal.
    output : tuple[str]
        The indices that stay.
    size_dict : dict[str, int]
        The size of each index; those on no tensor are left out.
    labels : tuple or None
        Tensors with equal labels hold the same numbers; None where that is not known.
    sources : tuple or None
        For each tensor ``("ket" or "bra", i)``, which tensor of the state it is, or
        ``("operator", 0)``.
    site_of : dict
        The site that an index belongs to, for those that belong to one.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import hypergraph
    >>> net = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> hypergraph(net, "norm", form="collapsed")
    Hypergraph(tensors=130, indices=66, hyper_edges=66, outputs=0)
    """

    inputs: tuple
    output: tuple
    size_dict: dict
    labels: tuple | None = None
    sources: tuple | None = None
    site_of: dict = field(default_factory=dict)

    def __post_init__(self):
        try:
            _check_problem(self)
        except (TypeError, ValueError, AttributeError) as error:
            raise OptionError(
                f"the contraction problem is malformed ({error}); give inputs (sequences of "
                "names), output (names) and size_dict (name to size)."
            ) from error
        used = _in_order(self.inputs)
        if len(used) < len(self.size_dict):  # indices on no tensor are not part of the problem
            sizes = {ix: size for ix, size in self.size_dict.items() if ix in used}
            object.__setattr__(self, "size_dict", sizes)

    @property
    def num_tensors(self):
        """Number of tensors."""
        return len(self.inputs)

    @property
    def num_indices(self):
        """Number of indices."""
        return len(self.size_dict)

    @property
    def hyper_edges(self):
        """Number of indices with more than two ends; an output is an end, as each leg is."""
        ends = dict.fromkeys(self.size_dict, 0)
        for inds in (*self.inputs, self.output):
            for ix in inds:
                ends[ix] += 1
        return sum(count > 2 for count in ends.values())

    def __repr__(self):
        return (
            f"Hypergraph(tensors={self.num_tensors}, indices={self.num_indices}, "
            f"hyper_edges={self.hyper_edges}, outputs={len(self.output)})"
        )

    # ------------------------------------------------------------ trees

    def search(self, optimize="greedy", target_size=None):
        """Find a contraction tree.

        Parameters
        ----------
        optimize : str, optimizer, tree or path, optional
            A preset of cotengra or opt_einsum, an optimizer object of either; a path made by hand,
            ``"branches"`` or ``"sweep"``, or ``"quick"``, the best of them and of quick searches
            (see `quimb_deepnets.paths.handmade`); or a tree or path of this problem.
        target_size : int, optional
            Slice it until no intermediate has more elements. Outputs are not sliced here, so that
            the slices add up; those that a tree slices already stay so.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        OptionError
            If the optimizer is not known, does not apply, or finds approximate contractions.
        BudgetError
            If a size leaves the range of floats, or no slicing reaches ``target_size``.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> from quimb_deepnets.paths import hypergraph
        >>> net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
        >>> hypergraph(net).search("greedy").contraction_width()
        3.0
        """
        if target_size is not None:
            check_positive_int("target_size", target_size, OptionError)
        tree = find_tree(self, check_optimizer(optimize))
        if target_size is None or tree.contraction_width() <= math.log2(target_size):
            return tree
        return self._sliced(tree, target_size)

    def _sliced(self, tree, target_size):
        """A tree with its inner indices sliced until it fits."""
        output = math.prod(self.size_dict[ix] for ix in self.output)
        if output > target_size:
            raise BudgetError(
                f"the output has {output} elements, more than target_size={target_size}; raise it, "
                "or ask for fewer sites."
            )
        # what is on one tensor alone is gone before the first step, and cotengra trips over it
        bare, names = self._bare(), self.names_in(tree)
        found, inverse = bare.tree(tree.get_ssa_path()), {ix: old for old, ix in names.items()}
        for ix in map(names.get, tree.sliced_inds):
            if ix in bare.size_dict:
                found.remove_ind_(ix)
        with contextlib.suppress(RuntimeError):  # nothing is left to slice
            found = found.slice(target_size=target_size, allow_outer=False, seed=0)
        tree = tree.copy()
        for ix in map(inverse.get, found.sliced_inds):
            if ix not in tree.sliced_inds:
                tree.remove_ind_(ix)
        if tree.contraction_width() > math.log2(target_size) + 1e-9:
            raise BudgetError(
                f"no slicing brings the intermediates down to target_size={target_size} elements; "
                "raise it, or use another optimizer."
            )
        return tree

    def _bare(self):
        """The same problem without indices on one tensor alone, and each once on a tensor."""
        ends = Counter(ix for inds in (*self.inputs, self.output) for ix in set(inds))
        inputs = tuple(
            tuple(ix for ix in dict.fromkeys(inds) if ends[ix] > 1) for inds in self.inputs
        )
        return dataclasses.replace(self, inputs=inputs)

    def tree(self, path):
        """The tree of a path.

        Parameters
        ----------
        path : sequence of (int, int)
            In single-assignment form: tensors are numbered as in ``inputs``, then each result in
            its turn, and each number is used once; or linear, as opt_einsum's: each step takes
            two off the list of tensors and puts their product at its end.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        OptionError
            If it is not a path of this problem.
        """
        count = self.num_tensors
        try:
            path = [tuple(map(operator.index, step)) for step in path]
        except TypeError as error:
            raise OptionError(
                f"path={reprlib.repr(path)} is not a path; give a sequence of pairs of ints."
            ) from error
        steps = ssa_path(path, count)
        used, last = set(), count
        for step in steps:
            ids = set(step)
            there = all(0 <= i < last for i in ids)
            if len(step) != 2 or len(ids) != 2 or not there or ids & used:
                raise OptionError(
                    f"the path step {step!r} does not join two tensors that are there; give a path "
                    "of pairs of ints, linear or in single-assignment form."
                )
            used |= ids
            last += 1
        if last != 2 * count - 1:
            raise OptionError(
                f"a path of {last - count} steps does not contract {count} tensors; it takes "
                f"{count - 1}."
            )
        return ctg.ContractionTree.from_path(
            self.inputs, self.output, self.size_dict, ssa_path=steps
        )

    def names_in(self, tree):
        """For each name of an index in a tree of this problem, the name here.

        Searches rename indices.
        """
        return dict(zip(_in_order(tree.inputs), _in_order(self.inputs)))

    # ------------------------------------------------------------ other programs

    def with_symbols(self):
        """The same problem with single characters for names, in the order of appearance.

        Some of cotengra's refinements take no other names.
        """
        order = _in_order((*self.inputs, self.output))
        name = {ix: ctg.get_symbol(n) for n, ix in enumerate(order)}
        return Hypergraph(
            tuple(tuple(map(name.get, inds)) for inds in self.inputs),
            tuple(map(name.get, self.output)),
            {name[ix]: int(self.size_dict[ix]) for ix in order},
            self.labels,
            self.sources,
            {name[ix]: site for ix, site in self.site_of.items() if ix in name},
        )

    def squeezed(self):
        """The same problem without inner indices of size 1, which would pile up as axes."""
        kept = {ix for ix, size in self.size_dict.items() if size > 1}.union(self.output)
        return dataclasses.replace(
            self,
            inputs=tuple(tuple(ix for ix in inds if ix in kept) for inds in self.inputs),
            size_dict={ix: size for ix, size in self.size_dict.items() if ix in kept},
        )

    def to_equation(self):
        """The problem as an einsum equation, ``"ab,bc->ac"``; the sizes are not part of it.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> from quimb_deepnets.paths import hypergraph
        >>> net = qdn.ConvAC.rand(2, 1, 2, 3, boundary="periodic", seed=0)
        >>> hypergraph(net, "dense", form="collapsed").to_equation()
        'ab,ac,a->bc'
        """
        graph = self.with_symbols()
        return f"{','.join(map(''.join, graph.inputs))}->{''.join(graph.output)}"

    def to_json(self, path=None):
        """The problem as JSON, in the form of cotengra's benchmark collection.

        Parameters
        ----------
        path : str or path, optional
            Where to write; the file is written aside and renamed.

        Returns
        -------
        str
            An object with ``inputs``, ``output`` and ``size_dict``, indices as single characters;
            and ``labels``, equal ints for tensors that hold the same numbers.

        Raises
        ------
        OptionError
            If the file cannot be written.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> from quimb_deepnets.paths import Hypergraph, hypergraph
        >>> graph = hypergraph(qdn.RAC.rand(4, 2, 2, seed=0))
        >>> Hypergraph.from_json(graph.to_json()).to_equation() == graph.to_equation()
        True
        """
        graph = self.with_symbols()
        data = {key: getattr(graph, key) for key in JSON_KEYS}
        if self.labels is not None:
            number = {label: n for n, label in enumerate(dict.fromkeys(self.labels))}
            data["labels"] = list(map(number.get, self.labels))
        return written(json.dumps(data, ensure_ascii=False) + "\n", path)

    @classmethod
    def from_json(cls, text):
        """The problem of a JSON text, see `to_json`.

        Raises
        ------
        OptionError
            If it is not such a problem.
        """
        try:
            data = json.loads(text)
            inputs, output, sizes = (data[key] for key in JSON_KEYS)
            labels = data.get("labels")
            labels = None if labels is None else tuple(labels)
            return cls(tuple(map(tuple, inputs)), tuple(output), dict(sizes), labels)
        except DeepNetError:
            raise
        except (TypeError, LookupError, ValueError, AttributeError, RecursionError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise OptionError(
                f"the JSON of a contraction problem {what}; it must be an object with 'inputs' "
                "(lists of names), 'output' (names) and 'size_dict' (name to size)."
            ) from error

    @classmethod
    def from_tn(cls, tn, output_inds=None):
        """The problem of contracting any quimb tensor network.

        Parameters
        ----------
        tn : TensorNetwork
        output_inds : sequence of str, optional
            By default the indices that are on one tensor only.

        Raises
        ------
        OptionError
            If it is not a tensor network, or an output is on no tensor.

        Examples
        --------
        >>> import quimb.tensor as qtn
        >>> from quimb_deepnets.paths import Hypergraph
        >>> Hypergraph.from_tn(qtn.TN2D_rand(4, 4, D=2, seed=0))
        Hypergraph(tensors=16, indices=24, hyper_edges=0, outputs=0)
        """
        if not hasattr(tn, "tensor_map"):
            raise OptionError(f"a {type(tn).__name__} is not a TensorNetwork; give one of quimb's.")
        if output_inds is None:
            output_inds = (ix for ix, tids in tn.ind_map.items() if len(tids) == 1)
        sizes = {ix: tn.ind_size(ix) for ix in tn.ind_map}
        return cls(
            tuple(t.inds for t in tn), tuple(output_inds), sizes, tuple(range(len(tn.tensors)))
        )

    @classmethod
    def load(cls, path):
        """The problem of a file that `to_json` wrote, or of cotengra's collection.

        Raises
        ------
        OptionError
            If the file does not exist, or does not hold such a problem.
        """
        try:
            text = as_path(path).read_text(encoding="utf8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{str(path)!r} cannot be read: {error}.") from error
        try:
            return cls.from_json(text)
        except OptionError as error:
            raise OptionError(f"{str(path)!r}: {error}") from error


def _in_order(inputs):
    """All indices in the order in which they appear, as trees rename them."""
    return dict.fromkeys(ix for inds in inputs for ix in inds)


def _check_problem(graph):
    """Raise a ValueError that says what is wrong with the names and sizes of a problem."""
    if not graph.inputs:
        raise ValueError("no tensors")
    for ix, size in graph.size_dict.items():
        whole = isinstance(size, numbers.Integral) and not isinstance(size, bool)
        if not isinstance(ix, str) or not whole or size < 1:
            raise ValueError(f"index {ix!r} of size {size!r}")
    if len(set(graph.output)) < len(graph.output):
        raise ValueError(f"an output twice, {graph.output}")
    for inds in (*graph.inputs, graph.output):
        for ix in inds:
            if ix not in graph.size_dict:
                raise ValueError(f"index {ix!r} without a size")
    set(graph.labels or ())  # raises if one cannot be compared
    if graph.labels is not None and len(graph.labels) != len(graph.inputs):
        raise ValueError(f"{len(graph.labels)} labels for {len(graph.inputs)} tensors")
    if missing := set(graph.output).difference(*graph.inputs):
        raise ValueError(f"output {sorted(missing)[0]!r} on no tensor")
