"""What evaluation costs on a device: the numbers that plans compare.

::

    weights on the CPU  -->  CPU   calls are cheap, a core multiplies, a cache holds little
    weights on cuda     -->  CUDA  calls are dear, arithmetic is nearly free, memory is wide
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Costs in nanoseconds, of which only the ratios decide, and sizes in bytes.

    Attributes
    ----------
    name : str
        Of the device.
    flop : float
        A multiplication or addition in a matrix product.
    element : float
        To gather an element and multiply it.
    digit : float
        To add a site to the code of a window.
    call : float
        To call an array function.
    cache : int
        Beyond so many bytes a look-up misses the cache.
    miss : float
        How many times as much it then costs.
    max_table : int
        Of all tables of a level.
    chunk : int
        Of one array of a chunk: several of them share a cache, or fill the device.
    residuals : int
        Of what is kept of one chunk for derivatives.

    Examples
    --------
    >>> from quimb_deepnets.evaluation.machine import CPU
    >>> CPU.chunk, CPU.call / CPU.element > 1000
    (131072, True)
    """

    name: str
    flop: float
    element: float
    digit: float
    call: float
    cache: int
    miss: float
    max_table: int
    chunk: int
    residuals: int


# measured on one current core
CPU = Machine(
    name="cpu",
    flop=1 / 40,
    element=0.6,
    digit=0.3,
    call=2000,
    cache=2**20,
    miss=4,
    max_table=2**26,
    chunk=2**17,
    residuals=2**23,
)
# the order of magnitude of an accelerator: launches of 10 us, 10 Tflops, 1 TB/s
CUDA = Machine(
    name="cuda",
    flop=1e-4,
    element=0.02,
    digit=0.02,
    call=10_000,
    cache=2**25,
    miss=2,
    max_table=2**26,
    chunk=2**27,
    residuals=2**30,
)
MACHINES = {machine.name: machine for machine in (CPU, CUDA)}


def machine_of(x):
    """The `Machine` of the device where an array is; one that is not known counts as a CPU.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.evaluation.machine import machine_of
    >>> machine_of(np.ones(3)).name
    'cpu'
    """
    device = str(getattr(x, "device", "cpu")).lower()
    return next((MACHINES[name] for name in MACHINES if name in device), CPU)
