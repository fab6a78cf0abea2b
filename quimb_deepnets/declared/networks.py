"""Methods of networks, of every one and of each family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyMethod
from .measures import MeasureMethods, RankMethods

if TYPE_CHECKING:
    import math
    from collections.abc import Callable, Sequence
    from typing import Any

    import numpy as np
    from quimb.tensor import MatrixProductState

    from ..conversion.everyday import MAX_DRAWN
    from ..entanglement.arguments import File
    from ..entanglement.registry import MAX_FLOPS
    from ..networks.conv import ConvAC
    from ..networks.graph_state import GraphStateConvAC
    from ..networks.rbm import RBM
    from ..networks.recurrent import RAC
    from ..numerics.weights import MAX_BYTES
    from ..sampling.renyi2 import RenyiEstimate
    from ..tensors.collapsed import CollapsedVector
    from ..tensors.expanded import MAX_TENSORS, RecursiveNetwork


class NetworkMethods(MeasureMethods):
    """Methods of every network, from `tensors`, `exact`, `conversion` and further down."""

    if TYPE_CHECKING:

        def to_function(self) -> tuple[dict[str, Any], Callable[[Any, Any], Any]]: ...

        def to_tensor_network(
            self,
            nodes: str = "hyper",
            site_ind_id: str | None = None,
            site_tag_id: str | None = None,
            max_tensors: int = MAX_TENSORS,
        ) -> RecursiveNetwork: ...

        def collapse(
            self,
            site_ind_id: str | None = None,
            site_tag_id: str | None = None,
            max_bytes: float = MAX_BYTES,
            level: int | None = None,
        ) -> CollapsedVector: ...

        def to_mps(
            self,
            max_bond: int | None = None,
            cutoff: float = 1e-14,
            info: dict[str, Any] | None = None,
            site_ind_id: str = "k{}",
            site_tag_id: str = "I{}",
            progbar: bool = False,
            max_bytes: float = MAX_BYTES,
            method: str = "exact",
            normalize: bool | str = False,
            tol: float | None = None,
            max_evals: int | None = None,
            seed: Any = None,
        ) -> MatrixProductState: ...

        def norm(
            self,
            output_inds: None = None,
            squared: bool = False,
            strip_exponent: bool = False,
            optimize: Any = None,
        ) -> Any: ...

        def overlap(
            self, other: Any, optimize: Any = None, strip_exponent: bool = False
        ) -> Any: ...

        def distance(
            self,
            other: Any,
            method: str = "auto",
            normalized: bool | str = False,
            optimize: Any = None,
        ) -> Any: ...

        def local_expectation_exact(
            self,
            G: Any,
            where: Any,
            optimize: Any = None,
            normalized: bool | str = True,
            rehearse: bool | str = False,
        ) -> Any: ...

        def draw(self, *args: Any, max_tensors: int = MAX_DRAWN, **kwargs: Any) -> Any: ...

        def partial_trace_exact(
            self,
            where: Any,
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

        def sector_weights(self) -> Any: ...

        def partial_traces_in_sector(self, wheres: Any, sector: int) -> list[Any]: ...

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
        to_function = LazyMethod("networks.function")
        to_tensor_network = LazyMethod("tensors.expanded")
        collapse = LazyMethod("tensors.collapsed")
        to_mps = LazyMethod("conversion.exact_mps")
        norm = LazyMethod("conversion.everyday")
        overlap = LazyMethod("conversion.everyday")
        distance = LazyMethod("conversion.everyday")
        local_expectation_exact = LazyMethod("conversion.everyday")
        draw = LazyMethod("conversion.everyday")
        partial_trace_exact = LazyMethod("entanglement.measures")
        sector_weights = LazyMethod("exact.sector")
        partial_traces_in_sector = LazyMethod("exact.sector")
        renyi2_estimate = LazyMethod("sampling.renyi2")
        sample = LazyMethod("sampling.draws")
        _advice = LazyMethod("tensors.guides", "advice_on_network")


class ConvolutionalMethods(RankMethods):
    """Methods of convolutional circuits."""

    if TYPE_CHECKING:

        @staticmethod
        def graph_state(
            shape: int | tuple[int, ...],
            distance: int | Sequence[Any],
            kernel: int | tuple[int, ...],
            boundary: str = "periodic",
            dtype: str | None = None,
            angle: Any = math.pi,
        ) -> GraphStateConvAC: ...

        @staticmethod
        def from_tree(tensors: Sequence[Any], readout: Any) -> ConvAC: ...

        @staticmethod
        def from_rbm(rbm: RBM) -> ConvAC: ...

        def to_peps(
            self,
            site_ind_id: str = "k{},{}",
            site_tag_id: str = "I{},{}",
            max_bytes: float = MAX_BYTES,
        ) -> Any: ...

        def resize(self, shape: int | tuple[int, ...]) -> ConvAC: ...

    else:
        graph_state = LazyMethod("networks.graph_state", static=True)
        from_tree = LazyMethod("conversion.from_tree", static=True)
        from_rbm = LazyMethod("conversion.from_rbm", static=True)
        to_peps = LazyMethod("conversion.exact_peps")
        resize = LazyMethod("networks.resize")


class RecurrentMethods(RankMethods):
    """Methods of recurrent circuits."""

    if TYPE_CHECKING:

        @staticmethod
        def from_mps(mps: Any, max_bytes: float = MAX_BYTES) -> RAC: ...

    else:
        from_mps = LazyMethod("conversion.from_mps", static=True)


class BoltzmannMethods:
    """Methods of Boltzmann machines."""

    if TYPE_CHECKING:

        @staticmethod
        def from_conv(net: ConvAC, info: dict[str, Any] | None = None) -> RBM: ...

    else:
        from_conv = LazyMethod("conversion.from_conv", static=True)
