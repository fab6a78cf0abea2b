"""What evaluation costs on a device: the numbers that plans compare.

::

    numpy, torch on the CPU   -->  LOOPS  a CPU on which look-ups are compiled loops
    others on the CPU         -->  CPU    calls are cheap, a core multiplies, a cache holds little
    weights on cuda           -->  CUDA   calls are dear, arithmetic is nearly free, memory is wide

All are constants, measured once, so that plans are the same wherever they are made.
"""

import math
from dataclasses import dataclass, replace

from ..kernels.compiled import has_loops


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
    entry : float
        To multiply an element of a table into one of a merged table.
    part : float
        To begin with a factor of all rows of a table.
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
    entry_row : float
        To begin with a row of a merged table in a compiled loop.
    row : float
        To begin with a row in a compiled loop; 0 where look-ups are array calls.
    reads : tuple[tuple[float, float]]
        For tables of up to so many bytes, what a byte costs in a compiled loop.

    Examples
    --------
    >>> from quimb_deepnets.evaluation.machine import CPU
    >>> CPU.chunk, CPU.call / CPU.element > 1000
    (131072, True)
    """

    name: str
    flop: float
    element: float
    entry: float
    part: float
    digit: float
    call: float
    cache: int
    miss: float
    max_table: int
    chunk: int
    residuals: int
    entry_row: float = 0.0
    row: float = 0.0
    reads: tuple[tuple[float, float], ...] = ()

    def merge(self, rows: int, bond_dim: int, members: int) -> float:
        """Nanoseconds to fill so many rows with products of ``members`` others.

        Loops go from one row to the next, and make anew what has changed: about the last factor.

        Examples
        --------
        >>> from quimb_deepnets.evaluation.machine import CPU, LOOPS
        >>> LOOPS.merge(100, 8, 4) == LOOPS.merge(100, 8, 2), CPU.merge(100, 8, 4)
        (True, 12800.0)
        """
        if self.row:
            return rows * (self.entry_row + bond_dim * self.entry)
        return rows * bond_dim * members * self.entry

    def look_up(self, width: int, row_bytes: int, table_bytes: int, bond_dim: int) -> float:
        """Nanoseconds to look up a row of a window of so many sites, and to multiply it.

        Examples
        --------
        >>> from quimb_deepnets.evaluation.machine import CPU, LOOPS
        >>> LOOPS.look_up(10, 64, 2**16, 8) < CPU.look_up(10, 64, 2**16, 8)
        True
        """
        if self.row:
            byte = next(cost for size, cost in self.reads if table_bytes <= size)
            return self.row + width * self.digit / 5 + row_bytes * byte
        missing = self.miss if table_bytes > self.cache else 1
        return width * self.digit + bond_dim * self.element * missing


# measured on one current core
CPU = Machine(
    name="cpu",
    flop=1 / 40,
    element=0.6,
    entry=4.0,
    part=8000,
    digit=0.3,
    call=2000,
    cache=2**20,
    miss=4,
    max_table=2**26,
    chunk=2**17,
    residuals=2**23,
)
# the same core, its first and second cache, a share of the third, and memory
LOOPS = replace(
    CPU,
    name="cpu with compiled loops",
    entry=1.5,
    part=500,
    entry_row=20,
    row=1.5,
    reads=(
        (2**15, 0.005),
        (2**18, 0.012),
        (2**19, 0.02),
        (2**20, 0.04),
        (2**22, 0.08),
        (math.inf, 0.15),
    ),
)
# the order of magnitude of an accelerator: launches of 10 us, 10 Tflops, 1 TB/s
CUDA = Machine(
    name="cuda",
    flop=1e-4,
    element=0.02,
    entry=0.04,
    part=40_000,
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
    """The `Machine` that works on an array: that of its device, or `LOOPS` where loops read it.

    A device that is not known counts as a CPU.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.evaluation.machine import machine_of
    >>> machine_of(np.ones(3)).name
    'cpu with compiled loops'
    """
    device = str(getattr(x, "device", "cpu")).lower()
    machine = next((MACHINES[name] for name in MACHINES if name in device), CPU)
    return LOOPS if machine is CPU and hasattr(x, "dtype") and has_loops(x) else machine
