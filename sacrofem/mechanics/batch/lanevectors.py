"""Sums over lanes kept in vector registers, where the compiler by itself would go to memory and back.

Inside kernels only. Values of all lanes are (..., LANES) and C-contiguous; each function runs through its
sum once for every group of lanes that fills a cache line, with the group's three rows in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

LANES = 32
_GROUP_BYTES = 64
_INT = ir.IntType(64)
_FAST = ("fast",)


class _Emitter:
    """Instructions on groups of lanes; ``size`` is the lanes of a group."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.builder = builder
        scalar = context.get_data_type(dtype)
        self._align = context.get_abi_sizeof(scalar)
        self.size = _GROUP_BYTES // self._align
        self._vector = ir.VectorType(scalar, self.size)
        self.zero = ir.Constant(self._vector, None)
        self._undefined = ir.Constant(self._vector, ir.Undefined)
        self._zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.size), [0] * self.size)

    def each_group(self, emit: Callable[[int], None]) -> None:
        for lane in range(0, LANES, self.size):
            emit(lane)

    def integer(self, value: int) -> Any:
        return ir.Constant(_INT, value)

    def sum(self, *terms: Any) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return total

    def times(self, a: Any, factor: int) -> Any:
        return self.builder.mul(a, self.integer(factor))

    def _pointer(self, base: Any, offset: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(base, [offset]), self._vector.as_pointer())

    def load(self, base: Any, offset: Any) -> Any:
        return self.builder.load(self._pointer(base, offset), align=self._align)

    def store(self, value: Any, base: Any, offset: Any) -> None:
        self.builder.store(value, self._pointer(base, offset), align=self._align)

    def spread(self, base: Any, offset: Any) -> Any:
        """One number in all lanes."""
        number = self.builder.load(self.builder.gep(base, [offset]))
        single = self.builder.insert_element(self._undefined, number, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(single, self._undefined, self._zeros)

    def plus(self, total: Any, a: Any, b: Any, sign: int = 1) -> Any:
        """total ± a b."""
        product = self.builder.fmul(a, b, flags=_FAST)
        combine = self.builder.fadd if sign > 0 else self.builder.fsub
        return combine(total, product, flags=_FAST)

    def loop(self, first: Any, stop: Any, start: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """Carry values through ``body(k, values)`` for k from ``first`` to before ``stop``."""
        b = self.builder
        before = b.block
        head, inside, after = (b.append_basic_block(name) for name in ("head", "inside", "after"))
        b.branch(head)
        b.position_at_end(head)
        k = b.phi(_INT)
        k.add_incoming(first, before)
        carried = [b.phi(value.type) for value in start]
        for phi, value in zip(carried, start, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", k, stop), inside, after)
        b.position_at_end(inside)
        values = body(k, carried)
        following, end = b.add(k, self.integer(1)), b.block
        b.branch(head)
        k.add_incoming(following, end)
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, end)
        b.position_at_end(after)
        return carried


def _pointers(context: Any, builder: Any, kinds: tuple[Any, ...], values: tuple[Any, ...]) -> list[Any]:
    """Data of those arguments that are arrays, the others as they are."""
    return [
        make_array(kind)(context, builder, value=value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(kinds, values, strict=True)
    ]


def _checked(*arrays: Any) -> None:
    if any(not isinstance(a, types.Array) or a.layout != "C" for a in arrays) or len({a.dtype for a in arrays}) > 1:
        raise TypingError("lanes need C-contiguous arrays of one precision")


@intrinsic
def subtract_blocks(typingctx, indices, data, first, stop, x, acc):  # type: ignore[no-untyped-def]
    """acc (3, LANES) -= data[k] (3, 3) times x[indices[k]] (3, LANES), summed over first <= k < stop."""
    _checked(data, x, acc)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        p_indices, p_data, begin, end, p_x, p_acc = _pointers(context, builder, signature.args, args)
        e = _Emitter(context, builder, x.dtype)

        def group(lane: int) -> None:
            rows = [e.integer(i * LANES + lane) for i in range(3)]

            def add(k: Any, sums: list[Any]) -> list[Any]:
                node = builder.load(builder.gep(p_indices, [k]))
                node = node if node.type.width == _INT.width else builder.sext(node, _INT)
                at, block = e.times(node, 3 * LANES), e.times(k, 9)
                for j in range(3):
                    value = e.load(p_x, e.sum(at, rows[j]))
                    weights = [e.spread(p_data, e.sum(block, e.integer(3 * i + j))) for i in range(3)]
                    sums = [e.plus(total, weight, value, -1) for total, weight in zip(sums, weights, strict=True)]
                return sums

            for row, total in zip(rows, e.loop(begin, end, [e.load(p_acc, row) for row in rows], add), strict=True):
                e.store(total, p_acc, row)

        e.each_group(group)
        return context.get_dummy_value()

    return types.void(indices, data, types.int64, types.int64, x, acc), codegen


@intrinsic
def multiply_rows(typingctx, values, at, width, count, x, node, acc):  # type: ignore[no-untyped-def]
    """acc (3, LANES) = three rows of a dense matrix times the values x (3, LANES) of ``count`` nodes from ``node`` on.

    The rows begin at ``values[at]``, ``width`` apart; values are (n,), or (n, LANES) with one matrix a lane.
    """
    _checked(values, x, acc)
    one_each = values.ndim == 2

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        p_values, start, apart, number, p_x, offset, p_acc = _pointers(context, builder, signature.args, args)
        e = _Emitter(context, builder, x.dtype)
        begins = [e.sum(start, e.times(apart, i)) for i in range(3)]

        def group(lane: int) -> None:
            def weight(k: Any) -> Any:
                if one_each:
                    return e.load(p_values, e.sum(e.times(k, LANES), e.integer(lane)))
                return e.spread(p_values, k)

            def add(b: Any, sums: list[Any]) -> list[Any]:
                base, column = e.times(e.sum(offset, b), 3 * LANES), e.times(b, 3)
                for j in range(3):
                    value = e.load(p_x, e.sum(base, e.integer(j * LANES + lane)))
                    weights = [weight(e.sum(begin, column, e.integer(j))) for begin in begins]
                    sums = [e.plus(total, weight, value) for total, weight in zip(sums, weights, strict=True)]
                return sums

            for i, total in enumerate(e.loop(e.integer(0), number, [e.zero] * 3, add)):
                e.store(total, p_acc, e.integer(i * LANES + lane))

        e.each_group(group)
        return context.get_dummy_value()

    return types.void(values, types.int64, types.int64, types.int64, x, types.int64, acc), codegen


@intrinsic
def add_transposed(typingctx, values, at, width, x, node, target, first, count):  # type: ignore[no-untyped-def]
    """Transposed rows, as in `multiply_rows`, times x[node], added to ``count`` nodes of target from ``first`` on."""
    _checked(values, x, target)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        p_values, start, apart, p_x, source, p_target, to, number = _pointers(context, builder, signature.args, args)
        e = _Emitter(context, builder, x.dtype)
        begins = [e.sum(start, e.times(apart, i)) for i in range(3)]

        def group(lane: int) -> None:
            rows = [e.integer(i * LANES + lane) for i in range(3)]
            value = [e.load(p_x, e.sum(e.times(source, 3 * LANES), row)) for row in rows]

            def add(b: Any, nothing: list[Any]) -> list[Any]:
                base, column = e.times(e.sum(to, b), 3 * LANES), e.times(b, 3)
                for j in range(3):
                    place = e.sum(base, rows[j])
                    total = e.load(p_target, place)
                    for i in range(3):
                        total = e.plus(total, e.spread(p_values, e.sum(begins[i], column, e.integer(j))), value[i])
                    e.store(total, p_target, place)
                return nothing

            e.loop(e.integer(0), number, [], add)

        e.each_group(group)
        return context.get_dummy_value()

    return types.void(values, types.int64, types.int64, x, types.int64, target, types.int64, types.int64), codegen
