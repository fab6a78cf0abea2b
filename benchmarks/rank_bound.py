"""The rank bound of half of a large lattice, from integers alone."""

from common import medians, report

from quimb_deepnets import GCLayer
from quimb_deepnets.geometry import ConvGeometry
from quimb_deepnets.theory import rank_bound

lattices = {
    f"depth_{depth}": ConvGeometry((100, 100), (GCLayer(5, 4),) * depth, (True,) * depth)
    for depth in (2, 3, 4, 6, 10)
}
half = [(i, j) for i in range(50) for j in range(100)]
found = medians(*(lambda g=g: rank_bound(g, half) for g in lattices.values()), repeats=3)
report(
    "rank bound of half of 100 x 100, K=5: seconds, slowest depth",
    5.0,
    1.0,
    ratio=max(found),
    lower_is_better=True,
    **dict(zip(lattices, found)),
)
