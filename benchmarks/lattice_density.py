"""All density matrices of one site and of neighbours on lattices, beside one norm."""

from common import medians, report

import quimb_deepnets as qdn


def regions_of(L, cyclic):
    """Every site and every bond of a square lattice."""
    sites = [(i, j) for i in range(L) for j in range(L)]
    steps = [((i, j), (i + a, j + b)) for i, j in sites for a, b in ((1, 0), (0, 1))]
    bonds = [(x, (y[0] % L, y[1] % L)) for x, y in steps if cyclic or max(y) < L]
    return [*((site,) for site in sites), *bonds]


found = {}
for name, L, boundary in (("torus_6x6", 6, "periodic"), ("open_10x10", 10, "ones")):
    for r in (2, 3, 4):
        net = qdn.ConvAC.rand((L, L), depth=2, kernel=2, bond_dim=r, boundary=boundary, seed=0)
        phi, regions = net.collapse(), regions_of(L, boundary == "periodic")
        norm, rhos = medians(
            lambda phi=phi: phi.norm(strip_exponent=True),
            lambda phi=phi, regions=regions: phi.partial_traces_exact(regions),
            repeats=3,
        )
        found[f"{name}_r{r}"], found[f"{name}_r{r}_norm_s"] = rhos / norm, norm
report(
    "all density matrices of sites and bonds of a lattice, in norms",
    4.0,
    3.0,
    ratio=max(x for name, x in found.items() if not name.endswith("_s")),
    lower_is_better=True,
    **found,
)
