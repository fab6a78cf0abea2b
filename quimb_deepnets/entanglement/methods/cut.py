"""Method "cut": Schmidt values across the smallest cut of a network of tensors.

::

    A: tensors, sites  ==c==  B: tensors, sites       psi = sum_c L[A; c] R[c; B]

    spectrum   the Gram matrix of each half, contracted with its conjugate; or as the tail
    tail       each half by QR decompositions along its contraction, nothing squared

Which tensors belong to which side is a minimum cut, where a hyper-index is cut once. So the state
may have any number of sites: what counts is the dimension of the cut, and the width of each half.
"""

import math

from ...jobs.progress import progress
from ...numerics.traced import is_followed
from ...numerics.weights import MAX_BYTES
from ..halves import FactorPlan, GramPlan, SweepPlan, ThirdsPlan, halves_of
from ..registry import SOON, Method, add_method
from ..views import Cost, as_flops

MAX_CUT = 2**17  # dimension up to which a cut is planned
LOST = 1e-11  # of the largest Schmidt value; where Gram matrices lose more, halves are decomposed


def _network(view):
    """The network of a state as it is contracted, and its outer indices."""
    ket = view.views["network"].value
    return ket.tn._prepared(ket.inds), ket.inds


def _pairs(view, places):
    """The network, and its halves by each of the smallest cuts."""
    tn, inds = _network(view)
    return tn, halves_of(tn, *([inds[i] for i in side] for side in (places, view.rest(places))))


def dimension(tn, pair):
    """The number of values of the indices of a cut."""
    return math.prod(map(tn.ind_size, (*pair[0].shared, *pair[0].open)))


def plan_of(tn, pairs, tail=False):
    """The cheapest way to the spectrum, with or without squares, and what it costs.

    A plan reads indices alone, so that ``tn`` may have no numbers.
    Where QR decompositions take a moment only, no path is searched for the Gram matrices. They
    are taken for gradients in any case, which QR decompositions have at full rank only.
    """
    plans = [FactorPlan(tn, pair) for pair in pairs]
    fine, plan = min(((plan.cost(), plan) for plan in plans), key=lambda pair: pair[0].flops)
    followed = any(is_followed(t.data) for t in tn)
    if tail or (fine.flops < SOON and not followed):
        return fine, plan
    squared = GramPlan.of(*plan)
    cost = squared.cost()
    return (cost, squared) if followed or cost.flops < fine.flops else (fine, plan)


def cost(view, places, what="spectrum"):
    """What the cheapest form takes, planned in integers.

    A cut of large dimension is not planned: its square is the least that a spectrum takes.
    """
    if what == "pair":
        return _thirds(view, places[: places.first], places[places.first :]).cost()
    tn, pairs = _pairs(view, places)
    if (size := dimension(tn, pairs[0])) > MAX_CUT:
        return Cost(size**2 * max(t.data.itemsize for t in tn), as_flops(size**3))
    return plan_of(tn, pairs, what == "tail")[0]


def spectrum(view, places, progbar=False):
    """The spectrum from Gram matrices, or as `tail` where that is cheaper or loses less."""
    found = plan_of(*_pairs(view, places))[1].spectrum()
    return found if found.lost < LOST else tail(view, places)


def tail(view, places, progbar=False):
    """The spectrum from QR decompositions, right to round-off relative to the largest value."""
    tn, pairs = _pairs(view, places)
    return plan_of(tn, pairs, tail=True)[1].spectrum()


def sweep(view, cuts, progbar=False):
    """The spectra of many cuts of the order of sites, in two sweeps where that is cheaper."""
    tn, inds = _network(view)
    order = sorted(set(cuts))
    plan = SweepPlan.of(tn, inds, order)
    made, middle = plan.cost(), min(order, key=lambda cut: abs(2 * cut - len(inds)))
    if made.bytes < MAX_BYTES and made.flops < len(order) * cost(view, range(middle)).flops:
        found = dict(zip(order, plan.spectra(progbar)))
        return [found[cut] for cut in cuts]
    return [spectrum(view, range(cut)) for cut in progress(cuts, progbar)]


def pair(view, a, b, progbar=False):
    """The density matrix of two subsystems, ``(a, b, a, b)``, each up to an isometry."""
    return _thirds(view, a, b).density()


def _thirds(view, a, b):
    tn, inds = _network(view)
    sides = ([inds[i] for i in side] for side in (a, b, view.rest((*a, *b))))
    return ThirdsPlan.of(tn, *sides)


add_method(Method("cut", "network", cost, spectrum, sweep, tail=tail, pair=pair, searches=True))
