"""Measures of entanglement and observables, of networks and of states alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyMethod

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..entanglement.arguments import File
    from ..entanglement.rank import SchmidtRank
    from ..entanglement.registry import MAX_FLOPS, EntanglementPlan
    from ..numerics.weights import MAX_BYTES


class MeasureMethods:
    """Measures of networks and of states with hyper-indices alike."""

    if TYPE_CHECKING:

        def magnetization(self, i: Any, direction: str = "Z") -> Any: ...
        def correlation(self, A: Any, i: Any, j: Any, B: Any = None) -> Any: ...

        def schmidt_values(
            self,
            where: Any = None,
            *,
            tags: str | Sequence[str] | None = None,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def entropy(
            self,
            where: Any = None,
            *,
            tags: str | Sequence[str] | None = None,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def entropies(
            self,
            cuts: Sequence[int] | None = None,
            *,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def renyi_entropy(
            self,
            where: Any = None,
            alpha: float = 2,
            *,
            tags: str | Sequence[str] | None = None,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def schmidt_gap(
            self,
            where: Any = None,
            *,
            tags: str | Sequence[str] | None = None,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def mutinf_subsys(
            self,
            sysa: Any,
            sysb: Any,
            *,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def logneg_subsys(
            self,
            sysa: Any,
            sysb: Any,
            *,
            dims: Sequence[int] | None = None,
            method: str = "auto",
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
            progbar: bool = False,
            checkpoint: File = None,
            executor: Any = None,
            tol: float | None = None,
            seed: Any = None,
        ) -> Any: ...

        def entanglement_plan(
            self,
            where: Any = None,
            *,
            tags: str | Sequence[str] | None = None,
            dims: Sequence[int] | None = None,
            max_bytes: float = MAX_BYTES,
            max_flops: float = MAX_FLOPS,
        ) -> EntanglementPlan: ...

    else:
        magnetization = LazyMethod("conversion.observables")
        correlation = LazyMethod("conversion.observables")
        schmidt_values = LazyMethod("entanglement.measures")
        entropy = LazyMethod("entanglement.measures")
        entropies = LazyMethod("entanglement.measures")
        renyi_entropy = LazyMethod("entanglement.measures")
        schmidt_gap = LazyMethod("entanglement.measures")
        entanglement_plan = LazyMethod("entanglement.measures")
        mutinf_subsys = LazyMethod("entanglement.two_subsystems")
        logneg_subsys = LazyMethod("entanglement.two_subsystems")


class RankMethods:
    """Methods of networks, expanded or not, whose generic rank is known."""

    if TYPE_CHECKING:

        def schmidt_rank(
            self,
            where: Any,
            size: int = 4096,
            seed: Any = None,
            progbar: bool = False,
            max_bytes: float = 2**32,
        ) -> SchmidtRank: ...

    else:
        schmidt_rank = LazyMethod("entanglement.rank")
