"""Path reports: one row for each optimizer, what the path that it found costs.

::

    path_report(net, "norm", "collapsed", optimize=("greedy", BestOf()))

      optimize  tensors  indices  hyper_edges  log2_width  log10_flops  ...
      greedy        130       66           66        12.0         5.75
    * BestOf        130       66           66         9.0         4.81       * the fewest flops

Costs are counted in integers from the tree, so a path that nobody could contract has a row too.
"""

import csv
import io
import json
import math
import time

from tqdm import tqdm

from ..atomic import replacing
from ..errors import OptionError
from ..tensors.picture import new_axes
from .hypergraph import check_optimizer, hypergraph
from .kets import MAX_TENSORS
from .sharing import shared_flops

COLUMNS = (
    "optimize",
    "tensors",
    "indices",
    "hyper_edges",
    "log2_width",
    "log10_flops",
    "log10_write",
    "log2_peak",
    "seconds",
    "slices",
)
SHARED = ("shared_log10_flops", "reuse")


class PathReport:
    """What contracting a state costs, by the optimizer that finds the path.

    Made by `path_report`.

    Attributes
    ----------
    rows : list[dict]
        One for each optimizer: ``optimize``, its name; ``tensors``, ``indices`` and
        ``hyper_edges`` of the problem; ``log2_width`` of the largest intermediate;
        ``log10_flops``, scalar multiplications as in quimb; ``log10_write``, numbers written;
        ``log2_peak``, numbers held at once; ``seconds`` of the search; ``slices``. With
        ``shared=True`` also ``shared_log10_flops``, with equal steps done once, and ``reuse``,
        how many times fewer flops that is.
    problem : dict
        ``state``, ``task``, ``where``, ``form``, ``mode``, ``nodes``: what was asked.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import path_report
    >>> net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
    >>> report = path_report(net, "norm", form="collapsed", optimize="greedy")
    >>> report.best["tensors"], report.best["slices"]
    (14, 1)
    """

    def __init__(self, rows, problem):
        self.rows, self.problem = rows, problem

    @property
    def columns(self):
        """The names of the columns."""
        return COLUMNS + SHARED if SHARED[0] in self.rows[0] else COLUMNS

    @property
    def best(self):
        """The row with the fewest flops, of these the smallest width."""
        return min(self.rows, key=lambda row: (row["log10_flops"], row["log2_width"]))

    def __repr__(self):
        words = ", ".join(f"{k}={v!r}" for k, v in self.problem.items() if v is not None)
        table = [self.columns, *map(self._cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*table)]
        best, lines = self.best, [f"PathReport({words}):"]
        for row, cells in zip((None, *self.rows), table):
            first = cells[0].ljust(widths[0])
            rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
            lines.append(f"{'*' if row is best else ' '} {'  '.join((first, *rest))}")
        return "\n".join(lines)

    def _cells(self, row):
        return tuple(_short(row[column]) for column in self.columns)

    def to_dict(self):
        """What was asked, and the rows: numbers, texts and lists only."""
        return {**self.problem, "rows": [dict(row) for row in self.rows]}

    def to_markdown(self):
        """The rows as a table in Markdown."""
        table = [self.columns, ("---", *("---:" for _ in self.columns[1:]))]
        table += map(self._cells, self.rows)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in table) + "\n"

    def to_csv(self, path=None):
        """The rows as comma-separated values, to a file if a path is given.

        Parameters
        ----------
        path : str or path, optional
            Where to write; the file is written aside and renamed.

        Returns
        -------
        str

        Raises
        ------
        OptionError
            If the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return _written(text.getvalue(), path)

    def to_json(self, path=None):
        """What `to_dict` returns as JSON, to a file if a path is given; see `to_csv`."""
        return _written(json.dumps(self.to_dict(), indent=2) + "\n", path)

    def plot(self, ax=None):
        """Draw flops against width, a point for each optimizer.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ExtraError
            If matplotlib is not installed.
        """
        ax = new_axes("PathReport.plot") if ax is None else ax
        for row in self.rows:
            ax.plot(row["log2_width"], row["log10_flops"], "o", label=row["optimize"])
        ax.set_xlabel("width [log2 of the largest intermediate]")
        ax.set_ylabel("flops [log10]")
        ax.legend()
        return ax


def path_report(
    state,
    task="amplitude",
    form="expanded",
    mode="hyper",
    nodes=None,
    optimize=("greedy",),
    progbar=False,
    shared=False,
    max_tensors=MAX_TENSORS,
):
    """What it costs to contract a state, by several optimizers; no array is made.

    Parameters
    ----------
    state : ConvAC, RAC, RBM, their tensor networks, or any quimb vector
        Networks are written as ``form`` says, from their geometry. A quimb vector (MPS, tree,
        MERA, PEPS) is taken as it stands; so is an expanded state that was changed.
    task : str or (str, where), optional
        ``"amplitude"``: every site fixed, so no deltas are left. ``"dense"``: all entries.
        ``"norm"``: ket and bra joined through the sites. ``("partial_trace", where)``: the same
        with some sites open. ``("local_expectation", where)``: with an operator on them. ``where``
        is a site, or a sequence of sites.
    form : {"expanded", "collapsed"}, optional
        Every re-use a branch of its own, or each branch contracted over its window.
    mode : {"hyper", "copy", "tree", "mps"}, optional
        How the leaves of a site are joined, see `dup`. Only ``"hyper"`` lets go of them when the
        site is fixed; the COPY tensors of the others stay.
    nodes : {"hyper", "dense"}, optional
        Whether a node is a hyper-index or one tensor; by default as the tensor network has it,
        ``"hyper"`` for a network.
    optimize : str or optimizer, or a sequence of them, optional
        Presets, or optimizer objects, of cotengra and opt_einsum. ``"auto"`` searches the longer
        the more a contraction costs: for thousands of tensors give ``"greedy"`` alone.
    progbar : bool, optional
        Show a progress bar over the optimizers.
    shared : bool, optional
        Count also what each path costs when equal steps are done once, see `shared_flops`. With
        `BranchOrder` that is the forward pass of the network.
    max_tensors : int, optional
        Refuse larger networks, before they are written out.

    Returns
    -------
    PathReport

    Raises
    ------
    OptionError
        If an option is not known, or the state cannot be written so.
    SitesError
        If a site is not there.
    BudgetError
        If there would be too many tensors, or an optimizer finds no path within its own budget.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import path_report
    >>> net = qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> report = path_report(net, "amplitude", optimize="greedy")
    >>> report.best["tensors"], report.best["log2_width"]
    (605, 4.0)
    """
    listed = optimize if isinstance(optimize, (list, tuple)) else (optimize,)
    if not listed:
        raise OptionError("optimize=() names no optimizer; give one, such as 'greedy'.")
    optimizers = [check_optimizer(one) for one in listed]
    graph = hypergraph(state, task, form, mode, nodes, max_tensors)
    size = {
        "tensors": graph.num_tensors,
        "indices": graph.num_indices,
        "hyper_edges": graph.hyper_edges,
    }
    rows = [_row(graph, one, size, shared) for one in tqdm(optimizers, disable=not progbar)]
    name, where = (task, None) if isinstance(task, str) else task
    problem = {
        "state": type(state).__name__,
        "task": name,
        "where": None if where is None else repr(where),
        "form": form,
        "mode": mode,
        "nodes": nodes or getattr(state, "nodes", None),
    }
    return PathReport(rows, problem)


def _row(graph, optimize, size, shared):
    """What one optimizer finds."""
    start = time.perf_counter()
    tree = graph.search(optimize)
    seconds = time.perf_counter() - start
    row = {
        "optimize": optimize if isinstance(optimize, str) else type(optimize).__name__,
        **size,
        "log2_width": float(tree.contraction_width()),
        "log10_flops": float(tree.contraction_cost(log=10)),
        "log10_write": math.log10(max(1, tree.total_write())),
        "log2_peak": float(tree.peak_size(log=2)),
        "seconds": seconds,
        "slices": int(tree.multiplicity),
    }
    if shared:
        once = shared_flops(graph, tree)
        row["shared_log10_flops"] = math.log10(max(1, once))
        row["reuse"] = tree.contraction_cost() / max(1, once)
    return row


def _short(value):
    """A cell of a table."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _written(text, path):
    """The text, written aside and renamed if there is a path."""
    if path is not None:
        with replacing(path) as file:
            file.write(text)
    return text
