"""Path reports: one row for each optimizer, what the path that it found costs.

::

    path_report(net, "norm", "collapsed", optimize=("greedy", "quick"))

      optimize  tensors  indices  hyper_edges  log2_width  log10_flops  ...
      greedy        130       66           66        12.0         5.75
    * quick         130       66           66         9.0         4.79       * the fewest flops

Costs are counted in integers from the tree, so a path that nobody could contract has a row too.
"""

import csv
import io
import json

from ..errors import OptionError, check_option
from ..numerics.atomic import written
from ..numerics.shown import Shown
from ..tensors.picture import new_axes

COLUMNS = (
    "state",
    "params",
    "cut_bits",
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
    "overhead",
    "shared_log10_flops",
    "reuse",
)


MARKERS = "osD^vPX*"


class PathReport(Shown):
    """What contracting a state costs, by the optimizer that finds the path.

    Made by `path_report`.

    Attributes
    ----------
    rows : list[dict]
        One for each optimizer (and state): ``optimize``, its name; ``tensors``, ``indices`` and
        ``hyper_edges`` of the problem; ``log2_width`` of the largest intermediate;
        ``log10_flops``, scalar multiplications as in quimb; ``log10_write``, numbers written;
        ``log2_peak``, numbers held at once; ``seconds`` of the search; ``slices``, and with
        ``target_size`` their ``overhead``, how many times more flops they take. With
        ``shared=True`` also ``shared_log10_flops``, with equal steps done once, and ``reuse``,
        how many times fewer flops that is. Where several states are compared also ``state``, its
        name; ``params``, its number of parameters; ``cut_bits``, log2 of a bound on its Schmidt
        rank between two halves of its sites (`theory.rank_bound`, `theory.cut_rank`).
    trees : list[cotengra.ContractionTree]
        What was found, row by row; `contract_sliced` takes them as ``optimize`` of the same task
        (those of ``"partial_trace"`` for ``"local_expectation"``, which it finds from that). None
        for ``"cut"``, which is not one contraction.
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

    def __init__(self, rows, problem, trees=()):
        self.rows, self.problem, self.trees = list(rows), problem, list(trees)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __add__(self, other):
        """One table of the rows of both; of the problem it keeps what both have in common.

        Raises
        ------
        OptionError
            If the reports are of different problems and their rows have no names.
        """
        if not isinstance(other, PathReport):
            return NotImplemented
        if self.problem != other.problem and any("state" not in row for row in (*self, *other)):
            raise OptionError(
                "reports of different problems need names for their rows; make them with "
                "path_report({'name': state}, ...)."
            )
        common = {k: v for k, v in self.problem.items() if other.problem.get(k) == v}
        return PathReport(self.rows + other.rows, common, self.trees + other.trees)

    @property
    def columns(self):
        """The names of the columns."""
        return tuple(column for column in COLUMNS if any(column in row for row in self.rows))

    @property
    def best(self):
        """The row with the fewest flops, of these the smallest width."""
        return min(self.rows, key=_price)

    @property
    def winners(self):
        """For each state the row with the fewest flops, by its name."""
        found = {}
        for row in self.rows:
            state = row.get("state")
            found[state] = min(found.get(state, row), row, key=_price)
        return found

    def __repr__(self):
        table = [self.columns, *map(self._cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*table)]
        winners, lines = self.winners.values(), [f"{self._title}:"]
        for row, cells in zip((None, *self.rows), table):
            first = cells[0].ljust(widths[0])
            rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
            mark = "*" if any(row is winner for winner in winners) else " "
            lines.append(f"{mark} {'  '.join((first, *rest))}")
        return "\n".join(lines)

    @property
    def _title(self):
        words = ", ".join(f"{k}={v!r}" for k, v in self.problem.items() if v is not None)
        return f"PathReport({words})"

    def _html_table(self):
        winners = list(self.winners.values())
        best = [n for n, row in enumerate(self.rows) if any(row is x for x in winners)]
        return self._title, self.columns, list(map(self._cells, self.rows)), best

    def _cells(self, row, columns=None):
        return tuple(_short(row.get(column, "")) for column in columns or self.columns)

    def to_dict(self):
        """What was asked, and the rows: numbers, texts and lists only."""
        return {**self.problem, "rows": [dict(row) for row in self.rows]}

    def to_markdown(self, columns=None):
        """The rows as a table in Markdown.

        Parameters
        ----------
        columns : sequence of str, optional
            Some of `columns`, by default all.
        """
        columns = self.columns if columns is None else columns
        if not isinstance(columns, (list, tuple)):
            raise OptionError(f"columns={columns!r} is not a list of names; use {self.columns}.")
        for column in columns:
            check_option("columns", column, self.columns)
        columns = tuple(columns)
        rules = ("---" if column in ("state", "optimize") else "---:" for column in columns)
        cells = (self._cells(row, columns) for row in self.rows)
        cells = (tuple(cell.replace("|", "\\|") for cell in line) for line in cells)
        table = [columns, tuple(rules), *cells]
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
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return written(text.getvalue(), path)

    def to_json(self, path=None):
        """What `to_dict` returns as JSON, to a file if a path is given; see `to_csv`."""
        return written(json.dumps(self.to_dict(), indent=2) + "\n", path)

    def plot(self, ax=None):
        """Draw flops against width: a colour for each state, a marker for each optimizer.

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
        states = list(dict.fromkeys(row.get("state") for row in self.rows))
        found = list(dict.fromkeys(row["optimize"] for row in self.rows))
        for row in self.rows:
            n, m = states.index(row.get("state")), found.index(row["optimize"])
            label = ", ".join(row[k] for k in ("state", "optimize") if k in row)
            style = {"color": f"C{n if len(states) > 1 else m}", "fillstyle": "none"}
            marker = MARKERS[m % len(MARKERS)]
            ax.plot(row["log2_width"], row["log10_flops"], marker, label=label, **style)
        ax.set_xlabel("width [log2 of the largest intermediate]")
        ax.set_ylabel("flops [log10]")
        ax.legend()
        return ax


def _price(row):
    return row["log10_flops"], row["log2_width"]


def _short(value):
    """A cell of a table."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
