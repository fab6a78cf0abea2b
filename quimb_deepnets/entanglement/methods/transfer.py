"""Method "transfer": chains of shared weights, by transfer matrices.

Of a block the spectrum comes from two Gram matrices of a size that does not grow with it; of a few
sites anywhere from their density matrix::

    o-o-o-[o-o-o-o-o]-o-o-o      channels times the sites that windows reach over at the ends
    o-o-[o]-o-o-o-[o]-o-o-o      phys_dim**2 for each site
"""

from ...errors import MethodError
from ...exact.transfer_blocks import block_of, block_spectrum, gram_size
from ...exact.transfer_density import density as density_by_transfer
from ...exact.transfer_routes import transfer_cost
from ..registry import Method, add_method
from ..spectra import spectrum_of_density
from ..views import Cost, as_flops


def cost(view, places, what="spectrum"):
    """What the sums take, and the eigenvalues."""
    planned = view.views["transfer"].value
    if what == "density":
        return _density_cost(planned, places)
    small = _small(planned, view.smaller(places))
    return _density_cost(planned, small) if small else _block_cost(planned, places)


def _small(planned, places):
    """Sites, if the density matrix is what their spectrum is taken from; else None."""
    try:
        start, _ = block_of(planned.sites, places)
    except MethodError:
        return places
    size = gram_size(planned.sites, planned.channels, start)
    return places if planned.sites.phys_dim ** (2 * len(places)) <= size else None


def _density_cost(planned, places):
    made = transfer_cost(planned.sites, planned.pairs, planned.like, places)
    size = planned.sites.phys_dim ** len(places)
    return Cost(made.bytes, planned.flops(made.nanoseconds) + as_flops(4 * size**3))


def _block_cost(planned, places):
    if planned.followed:
        raise MethodError("the roots of Gram matrices have no gradient; use another method.")
    start, _ = block_of(planned.sites, places)
    sites, size = planned.sites, gram_size(planned.sites, planned.channels, start)
    made = transfer_cost(sites, planned.pairs, planned.like)
    bridge = planned.channels**2 * sites.states**5 if size > planned.channels * sites.states else 0
    flops = as_flops(12 * size**3 + 8 * bridge)
    return Cost(made.bytes + 64 * size**2, planned.flops(made.nanoseconds) + flops)


def density(view, places, progbar=False):
    """The density matrix of the places."""
    return density_by_transfer(view.views["transfer"].value.made, places).array


def spectrum(view, places, progbar=False):
    """The spectrum of the density matrix of the smaller side, or of two Gram matrices."""
    planned = view.views["transfer"].value
    small = _small(planned, view.smaller(places))
    if small:
        rho = density(view, small)
        return spectrum_of_density(rho)
    return spectrum_of_density(block_spectrum(planned.made, *block_of(planned.sites, places)))


add_method(Method("transfer", "transfer", cost, spectrum, density=density, squares=True))
