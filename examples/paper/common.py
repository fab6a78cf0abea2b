"""What every row of the reproduction returns, and the figures they draw into."""

import pathlib
from dataclasses import dataclass, field

TAGS = "READOUT, LAYER: weights. ONES: padding at the edges. DELTA: joins all copies of a site k."


@dataclass
class Row:
    """One claim: what the paper says, what we compute, and how that is certified.

    Attributes
    ----------
    claim : str
        Where in the paper, "Theorem 1", "Eq. (2), Fig. 3".
    says, computes, certified : str
        The three columns of the table, each a sentence or two.
    holds : bool
        Whether what was computed agrees; the run fails otherwise.
    numbers : dict
        Everything that was measured, for the JSON file.
    pictures : list[str]
        File names of the pictures.
    """

    claim: str
    says: str
    computes: str
    certified: str
    holds: bool
    numbers: dict = field(default_factory=dict)
    pictures: list = field(default_factory=list)


def new_figure(*args, **kwargs):
    """A matplotlib figure and its axes that need no screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(*args, layout="constrained", **kwargs)


def save_figure(figure, out, name):
    """Write a picture into the folder and close it; its name."""
    from matplotlib import pyplot

    figure.savefig(pathlib.Path(out) / name, dpi=120)
    pyplot.close(figure)
    return name
