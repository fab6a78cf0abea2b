"""Instructions on vector registers that hold numbers next to each other.

::

    real numbers       [a0 a1 a2 a3 ...]      times   a_i b_i
    complex numbers    [re im re im ...]      times   (re, im) (re, im), pair by pair

A compiler does not keep a row in registers where it does not know how many channels there are.
Loops that must do so are made of these instructions, with llvmlite.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

FUSED = ["contract", "nsz"]  # a product and a sum may be one
FLAGS = [*FUSED, "reassoc"]  # and sums may be reordered
INDEX = ir.IntType(64)


class Vectors:
    """Instructions at the place where a builder stands.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
    real : llvmlite.ir.Type
        Of a number, or of a part.
    pairs : bool
        Whether numbers are complex.
    """

    def __init__(self, builder: Any, real: Any, pairs: bool) -> None:
        self.builder, self.real, self.pairs = builder, real, pairs
        self.size = 8 if isinstance(real, ir.DoubleType) else 4  # bytes

    def vector(self, lanes: int) -> Any:
        """The type of a vector."""
        return ir.VectorType(self.real, lanes)

    def reals(self, array: Any) -> Any:
        """Where the parts of an array of numba begin."""
        return self.builder.bitcast(array.data, self.real.as_pointer())

    def at(self, start: Any, x: Any, lanes: int) -> Any:
        """Where a vector begins, ``x`` parts after a place."""
        return self.builder.bitcast(self.builder.gep(start, [x]), self.vector(lanes).as_pointer())

    def load(self, start: Any, x: Any, lanes: int) -> Any:
        """The vector that begins there."""
        return self.builder.load(self.at(start, x, lanes), align=self.size)

    def store(self, value: Any, start: Any, x: Any) -> None:
        """Write a vector, so that it begins there."""
        self.builder.store(value, self.at(start, x, value.type.count), align=self.size)

    def times(self, a: Any, b: Any) -> Any:
        """Products of entries, or of pairs: ``a (re b, re b) + (-im a, re a) (im b, im b)``."""
        builder, lanes = self.builder, a.type.count
        if not self.pairs:
            return builder.fmul(a, b, flags=FUSED)
        swapped = self._picked(a, [k ^ 1 for k in range(lanes)])
        re = self._picked(b, [k & ~1 for k in range(lanes)])
        im = self._picked(b, [k | 1 for k in range(lanes)])
        signs = ir.Constant(a.type, [-1.0, 1.0] * (lanes // 2))
        cross = builder.fmul(swapped, builder.fmul(im, signs, flags=FUSED), flags=FUSED)
        return builder.fadd(builder.fmul(a, re, flags=FUSED), cross, flags=FUSED)

    def sums(self, z: Any) -> list[Any]:
        """The sum of a vector, or those of its real and of its imaginary parts."""
        if not self.pairs:
            return [self._sum(z)]
        return [self._sum(self._picked(z, range(part, z.type.count, 2))) for part in range(2)]

    def _sum(self, z):
        kind = ir.FunctionType(self.real, [self.real, z.type])
        name = f"llvm.vector.reduce.fadd.v{z.type.count}f{8 * self.size}"
        add = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(add, [self.real(0.0), z], fastmath=FLAGS)

    def _picked(self, z, order):
        order = list(order)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(z, z, mask)

    def number(self, ctx: Any, kind: Any, parts: list[Any]) -> Any:
        """A number of a kind of numba, of its parts."""
        if not self.pairs:
            return parts[0]
        found = ctx.make_complex(self.builder, kind)
        found.real, found.imag = parts
        return found._getvalue()
