"""Methods of quimb vectors that may still hold their network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyMethod
from .measures import RankMethods

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from quimb.tensor import MatrixProductState

    from ..numerics.weights import MAX_BYTES
    from ..sampling.renyi2 import RenyiEstimate
    from ..tensors.collapsed import CollapsedVector


class HeldMethods:
    """Methods of states that may still hold their network."""

    if TYPE_CHECKING:

        def to_mps(
            self,
            max_bond: int | None = None,
            cutoff: float = 1e-14,
            info: dict[str, Any] | None = None,
            site_ind_id: str | None = None,
            site_tag_id: str | None = None,
            progbar: bool = False,
            max_bytes: float = MAX_BYTES,
            method: str = "exact",
            normalize: bool | str = False,
            tol: float | None = None,
            max_evals: int | None = None,
            seed: Any = None,
        ) -> MatrixProductState: ...

        def renyi2_estimate(
            self,
            where: Any,
            samples: int = 2**14,
            chains: int | None = None,
            seed: Any = None,
            progbar: bool = False,
            start: Any = None,
        ) -> RenyiEstimate: ...

        def sample(
            self,
            n: int,
            seed: Any = None,
            method: str = "auto",
            sector: int | None = None,
            start: Any = None,
            info: dict[str, Any] | None = None,
            progbar: bool = False,
        ) -> np.ndarray: ...

    else:
        to_mps = LazyMethod("conversion.exact_mps", "_state_to_mps")
        renyi2_estimate = LazyMethod("sampling.renyi2")
        sample = LazyMethod("sampling.draws")


class CollapsedMethods(HeldMethods):
    """Methods of collapsed states."""

    if TYPE_CHECKING:

        def norm(
            self,
            output_inds: Any = None,
            squared: bool = False,
            strip_exponent: bool = False,
            **contract_opts: Any,
        ) -> Any: ...

        def overlap(self, other: Any, output_inds: Any = None, **contract_opts: Any) -> Any: ...

        def local_expectation_exact(
            self,
            G: Any,
            where: Any,
            optimize: Any = None,
            normalized: bool | str = True,
            rehearse: bool | str = False,
            **opts: Any,
        ) -> Any: ...

    else:
        norm = LazyMethod("conversion.sums_by_transfer")
        overlap = LazyMethod("conversion.sums_by_transfer")
        local_expectation_exact = LazyMethod("conversion.sums_by_transfer")


class ExpandedMethods(RankMethods, HeldMethods):
    """Methods of expanded networks."""

    if TYPE_CHECKING:

        def collapse(
            self,
            site_ind_id: str | None = None,
            site_tag_id: str | None = None,
            max_bytes: float = MAX_BYTES,
            level: int | None = None,
        ) -> CollapsedVector: ...

    else:
        collapse = LazyMethod("tensors.collapsed", "_collapse_expanded")
