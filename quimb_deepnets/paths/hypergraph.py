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
from dataclasses import dataclass, field

import cotengra as ctg
from cotengra.interface import preset_to_optimizer

from ..atomic import written
from ..errors import BudgetError, OptionError, check_positive_int
from .handmade import HANDMADE

JSON_KEYS = ("inputs", "output", "size_dict")


@dataclass(frozen=True, repr=False)
class Hypergraph:
    """A contraction problem without its numbers.

    Attributes
    ----------
    inputs : tuple[tuple[str]]
        The indices of each tensor.
    output : tuple[str]
        The indices that stay.
    size_dict : dict[str, int]
        The size of each index.
    labels : tuple
        Tensors with equal labels hold the same numbers.
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
    labels: tuple = None
    sources: tuple = None
    site_of: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.labels is None:
            object.__setattr__(self, "labels", tuple(range(len(self.inputs))))

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
        """Number of indices with more than two ends; an output is an end as a tensor is."""
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
        optimize : str or optimizer, optional
            A preset of cotengra or opt_einsum, an optimizer object of either, or a path made by
            hand: ``"branches"``, ``"sweep"``, or ``"best"`` of them and of searches (see
            `quimb_deepnets.paths.handmade`).
        target_size : int, optional
            Slice it until no intermediate has more elements. Outputs are not sliced, so that the
            slices add up.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        OptionError
            If there is no such optimizer, it does not apply, or finds approximate contractions.
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
        tree = self._found(check_optimizer(optimize))
        if target_size is None or tree.contraction_width() <= math.log2(target_size):
            return tree
        return self._sliced(tree, target_size)

    def _found(self, optimize):
        """The tree of an optimizer."""
        try:
            if isinstance(optimize, str) and optimize in HANDMADE:
                return HANDMADE[optimize](self)
            tree = ctg.array_contract_tree(
                self.inputs, self.output, self.size_dict, optimize=optimize
            )
        except OverflowError as error:
            raise BudgetError(
                "the size of a tensor leaves the range of floats, in which path finders count; "
                "use mode='hyper' and nodes='hyper', whose tensors are small."
            ) from error
        if isinstance(tree, ctg.ContractionTreeCompressed):
            raise OptionError(
                f"optimize={optimize!r} plans an approximate contraction, whose cost depends on a "
                "bond dimension; use an exact one, such as 'greedy' or 'auto'."
            )
        return tree

    def _sliced(self, tree, target_size):
        """A tree with its inner indices sliced until it fits."""
        output = math.prod(self.size_dict[ix] for ix in self.output)
        if output > target_size:
            raise BudgetError(
                f"the output has {output} elements, more than target_size={target_size}; raise it, "
                "or ask for fewer sites."
            )
        with contextlib.suppress(RuntimeError):  # nothing is left to slice
            tree = tree.slice(target_size=target_size, allow_outer=False, seed=0)
        if tree.contraction_width() > math.log2(target_size) + 1e-9:
            raise BudgetError(
                f"no slicing brings the intermediates down to target_size={target_size} elements; "
                "raise it, or use another optimizer."
            )
        return tree

    def tree(self, ssa_path):
        """The tree of a path.

        Parameters
        ----------
        ssa_path : sequence of (int, int)
            In single-assignment form: tensors are numbered as in ``inputs``, then each result in
            its turn, and each number is used once.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        OptionError
            If it is no path of this problem.
        """
        count = self.num_tensors
        used, last = set(), count
        for step in ssa_path:
            ids = set(step)
            there = all(type(i) is int and 0 <= i < last for i in ids)
            if len(step) != 2 or len(ids) != 2 or not there or ids & used:
                raise OptionError(
                    f"the path step {step!r} does not join two tensors that are there; give a path "
                    "in single-assignment form, of ints."
                )
            used |= ids
            last += 1
        if last != 2 * count - 1:
            raise OptionError(
                f"a path of {last - count} steps does not contract {count} tensors; it takes "
                f"{count - 1}."
            )
        return ctg.ContractionTree.from_path(
            self.inputs, self.output, self.size_dict, ssa_path=list(map(tuple, ssa_path))
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
            {name[ix]: self.size_dict[ix] for ix in order},
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
            An object with ``inputs``, ``output`` and ``size_dict``, indices as single characters.

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
        return written(json.dumps(data, ensure_ascii=False) + "\n", path)

    @classmethod
    def from_json(cls, text):
        """The problem of a JSON text, see `to_json`.

        Raises
        ------
        OptionError
            If it is no such problem.
        """
        try:
            data = json.loads(text)
            inputs, output, sizes = (data[key] for key in JSON_KEYS)
            graph = cls(tuple(map(tuple, inputs)), tuple(output), dict(sizes))
            _check_problem(graph)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise OptionError(
                f"the JSON of a contraction problem {what}; it must be an object with 'inputs' "
                "(lists of names), 'output' (names) and 'size_dict' (name to size)."
            ) from error
        return graph

    @classmethod
    def load(cls, path):
        """The problem of a file that `to_json` wrote, or of cotengra's collection.

        Raises
        ------
        OptionError
            If there is no such file, or it holds no such problem.
        """
        try:
            with open(path, encoding="utf8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError, TypeError) as error:
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
    for inds in (*graph.inputs, graph.output):
        if len(set(inds)) < len(inds):
            raise ValueError(f"an index twice on one tensor, {inds}")
        for ix in inds:
            size = graph.size_dict.get(ix)
            if not isinstance(ix, str) or type(size) is not int or size < 1:
                raise ValueError(f"index {ix!r} of size {size!r}")
    if missing := set(graph.output).difference(*graph.inputs):
        raise ValueError(f"output {sorted(missing)[0]!r} on no tensor")


def check_optimizer(optimize):
    """Return an optimizer if it is one.

    Raises
    ------
    OptionError
        If there is no preset of that name, or it is no optimizer.
    """
    if isinstance(optimize, str):
        try:
            if optimize not in HANDMADE:
                preset_to_optimizer(optimize)
        except KeyError as error:
            raise OptionError(
                f"optimize={optimize!r} is no preset of cotengra or opt_einsum; use 'greedy', "
                f"'auto', 'optimal', {', '.join(map(repr, HANDMADE))}, or an optimizer object."
            ) from error
    elif not (hasattr(optimize, "search") or callable(optimize)) or isinstance(optimize, type):
        raise OptionError(
            f"optimize={optimize!r} is no optimizer; give the name of a preset such as 'greedy', "
            "or an optimizer object of cotengra or opt_einsum."
        )
    return optimize
