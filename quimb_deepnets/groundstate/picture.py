"""The picture of a run, as quimb's ``TNVMC.plot`` draws it.

::

    +-------------------------+-------------+
    | . . .                   | zoom        |
    |  .:::: - - - - -  QMC   |             |
    |   cloud, mean, error    +-------------+
    |                         | variance    |
    +-------------------------+-------------+
"""

from typing import Any

import numpy as np

from ..errors import OptionError, check_positive_int, import_extra
from .history import CLOUD

BLUE, GREEN, ORANGE = (0.1, 0.5, 0.7), (0.3, 0.6, 0.3), (1.0, 0.6, 0.3)


def plot_run(history: np.ndarray, nsites: int, hlines: dict[str, float], zoom: int | None) -> Any:
    """Draw a history.

    Parameters
    ----------
    history : numpy.ndarray
        Records, see the module history.
    nsites : int
    hlines : dict[str, float]
        Energies per site, by label.
    zoom : int or None
        How many of the last steps are enlarged.

    Returns
    -------
    figure, list of axes
    """
    pyplot = import_extra("plot", "plot", "matplotlib.pyplot")
    if not len(history):
        raise OptionError("there is nothing to plot: no step was taken yet; call run first.")
    zoom = min(200, -(-len(history) // 2)) if zoom is None else check_positive_int("zoom", zoom)
    figure = pyplot.figure(figsize=(12, 6))
    grid = figure.add_gridspec(nrows=2, ncols=3)
    places = (np.s_[:, :2], np.s_[0, 2], np.s_[1, 2])
    axes = [figure.add_subplot(grid[place]) for place in places]
    steps, cloud = history["step"], history["cloud"] / nsites
    whole, near, below = axes
    whole.plot(np.repeat(steps, CLOUD), cloud.ravel(), ".", ms=1, alpha=0.5, color=BLUE, zorder=-10)
    whole.set_ylim(np.quantile(cloud, 0.01), np.quantile(cloud, 0.99))
    _band(whole, history, nsites)
    _band(near, history[-zoom:], nsites)
    for i, (label, value) in enumerate(hlines.items()):
        color = pyplot.get_cmap("hsv")((0.1 * i) % 1.0)
        for ax in (whole, near):
            ax.axhline(value, color=color, ls="--")
        whole.text(steps[0], value, label, color=color, va="bottom", ha="left")
    below.plot(steps, history["variance"] / nsites, "-", color=ORANGE)
    below.set_yscale("log")
    whole.set_xlabel("step")
    whole.set_ylabel("energy per site")
    near.set_title("zoom", fontsize="medium")
    below.set_title("variance per site", fontsize="medium")
    figure.tight_layout()
    return figure, axes


def _band(ax, history, nsites):
    """Energies per site, and their errors as a band."""
    energy, error = history["energy"] / nsites, history["error"] / nsites
    ax.fill_between(history["step"], energy - error, energy + error, alpha=0.45, color=GREEN)
    ax.plot(history["step"], energy, "-", color=GREEN)
