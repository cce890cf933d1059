"""A program: print a StableHLO module as JSON, within bounds.

`costmodel_stablehlo.modules.guarded` runs it as `python module_reading.py MEMORY`, the module on
its standard input; it imports nothing of the project.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, Final

MOST_ELEMENTS: Final = 2**16
"""A longer constant is passed on without its values."""
MOST_OPERATIONS: Final = 200_000
_LONGEST: Final = 400
"""Characters of a text that stands for an attribute of another form."""
_DEEPEST: Final = 64
"""Regions within regions, and locations within locations."""
_PORTABLE: Final = b"StableHLO_v"
_HEAD: Final = 32
"""Bytes within which bytecode names who wrote it."""
_STRUCTURES: Final = {
    "#stablehlo.dot<": ("DotDimensionNumbers",
        "lhs_batching_dimensions", "rhs_batching_dimensions", "lhs_contracting_dimensions",
        "rhs_contracting_dimensions",
    ),
    "#stablehlo.conv<": ("ConvDimensionNumbers",
        "input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions",
        "kernel_input_feature_dimension", "kernel_output_feature_dimension",
        "kernel_spatial_dimensions", "output_batch_dimension", "output_feature_dimension",
        "output_spatial_dimensions",
    ),
    "#stablehlo.gather<": ("GatherDimensionNumbers",
        "offset_dims", "collapsed_slice_dims", "operand_batching_dims",
        "start_indices_batching_dims", "start_index_map", "index_vector_dim",
    ),
    "#stablehlo.scatter<": ("ScatterDimensionNumbers",
        "update_window_dims", "inserted_window_dims", "input_batching_dims",
        "scatter_indices_batching_dims", "scattered_dims_to_operand_dims", "index_vector_dim",
    ),
}  # fmt: skip
"""How attributes of several numbers begin, their classes, and these numbers."""
_PLAIN: Final = frozenset(
    {"IntegerAttr", "BoolAttr", "StringAttr", "FlatSymbolRefAttr", "FloatAttr"}
)
_LISTS: Final = frozenset(
    {"DenseI64ArrayAttr", "DenseI32ArrayAttr", "DenseBoolArrayAttr", "ArrayAttr"}
)
_QUANTIZED: Final = re.compile(
    r"!quant\.uniform<\s*([iu])(\d+)(?:<-?\d+:-?\d+>)?\s*:\s*f\d+[^<>]*>"
)
_STAND_INS: Final = (
    "f8E4M3B11FNUZ",
    "f8E3M4",
    "f8E8M0FNU",
    "f4E2M1FN",
    "f6E2M3FN",
    "f6E3M2FN",
    "f8E5M2FNUZ",
)
"""Types in the place of quantised ones, whose dialect jaxlib does not have."""


class DamagedError(Exception):
    """Why a module cannot be passed on."""


def main(content: bytes, memory: int) -> dict[str, Any]:
    """The functions of a module, or an error in words."""
    try:
        from jaxlib.mlir import ir  # noqa: PLC0415  # may be missing, which is an answer
        from jaxlib.mlir._mlir_libs import _jax_mlir_ext as extension  # noqa: PLC0415
        from jaxlib.mlir.dialects import chlo, stablehlo  # noqa: PLC0415
    except ImportError as error:
        return {"missing": error.name or str(error)}
    try:
        registry = ir.DialectRegistry()
        extension.register_dialects(registry)
        context = ir.Context()
        context.append_dialect_registry(registry)
        context.load_all_available_dialects()
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
    except (AttributeError, TypeError) as error:
        return {"missing": f"jaxlib.mlir: {error}"}
    _register_more(context)
    context.allow_unregistered_dialects = True  # such as sdy, whose attributes JAX writes
    _bound_memory(memory)
    return _answered(_Teller(ir, stablehlo, context), content)


def _register_more(context: Any) -> None:
    """Let a module have operations that say where it runs, which JAX writes in their own form."""
    try:
        from jaxlib.mlir.dialects import sdy  # noqa: PLC0415  # not in every jaxlib

        sdy.register_dialect(context)
    except (AttributeError, ImportError, TypeError):
        return


def _answered(teller: _Teller, content: bytes) -> dict[str, Any]:
    try:
        return teller.told(content)
    except DamagedError as error:
        said = str(error)
    except RecursionError:
        said = "nested too deeply"
    except MemoryError:
        said = "takes too much memory"
    except Exception as error:  # noqa: BLE001  # of a parser written in C++
        said = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
    return {"error": said}


class _Teller:
    """Tells a module as plain values; each value of the program has a number."""

    def __init__(self, ir: Any, stablehlo: Any, context: Any) -> None:
        self._ir, self._stablehlo, self._context = ir, stablehlo, context
        self._numbers: dict[Any, int] = {}
        self._operations = 0
        self._quantized: dict[str, str] = {}

    def told(self, content: bytes) -> dict[str, Any]:
        """The functions of a module.

        Raises:
            DamagedError: it has none, or too many operations.

        """
        with self._context, self._ir.Location.unknown():
            if _PORTABLE in content[:_HEAD]:
                module = self._stablehlo.deserialize_portable_artifact(self._context, content)
            else:
                module = self._ir.Module.parse(self._without_quantized(content))
            if module is None or not module.operation.verify():
                message = "it is not a valid module"
                raise DamagedError(message)
            return {"functions": self._functions(module.body)}

    def _without_quantized(self, content: bytes) -> bytes:
        """The same text with other types in the place of quantised ones, which have no dialect.

        Raises:
            DamagedError: there are more of them than others to take their place.

        """
        if content[:4] == b"ML\xefR" or b"!quant." not in content:
            return content
        text = content.decode()
        free = [one for one in _STAND_INS if one not in text]

        def stand_in(found: re.Match[str]) -> str:
            stored = f"{'u' if found[1] == 'u' else ''}int{found[2]}"
            known = {one: stand_in for stand_in, one in self._quantized.items()}
            if stored not in known:
                if not free:
                    message = "too many quantised types"
                    raise DamagedError(message)
                known[stored] = free.pop()
                self._quantized[known[stored]] = stored
            return known[stored]

        text = _QUANTIZED.sub(stand_in, text)
        for name in ("stablehlo.uniform_quantize", "stablehlo.uniform_dequantize"):
            text = text.replace(name, "stablehlo.convert")
        return text.encode()

    def _functions(self, block: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in block.operations:
            operation = one.operation
            if operation.name == "builtin.module":
                found.update(self._functions(operation.regions[0].blocks[0]))
            if operation.name == "func.func":
                name, body = self._function(operation)
                found[name] = body
        return found

    def _function(self, operation: Any) -> tuple[str, dict[str, Any]]:
        ir = self._ir
        name = ir.StringAttr(operation.attributes["sym_name"]).value
        if not len(operation.regions[0].blocks):
            return name, {"declared": True, "names": [], "attributes": [], "body": None}
        block = operation.regions[0].blocks[0]
        attributes: list[dict[str, Any]] = [{} for _ in block.arguments]
        if "arg_attrs" in operation.attributes:
            for place, one in enumerate(ir.ArrayAttr(operation.attributes["arg_attrs"])):
                held = ir.DictAttr(one)
                attributes[place] = {named.name: self._attribute(named.attr) for named in held}
        return name, {
            "names": [self._name(one.location) for one in block.arguments],
            "attributes": attributes,
            "body": self._region(operation.regions[0], 0),
        }

    def _region(self, region: Any, depth: int) -> dict[str, Any]:
        blocks = list(region.blocks)
        if len(blocks) != 1 or depth > _DEEPEST:
            message = (
                f"a region of {len(blocks)} blocks; expected one: jumps between blocks are not read"
                if len(blocks) != 1
                else "regions are nested too deeply"
            )
            raise DamagedError(message)
        (block,) = blocks
        arguments = [self._new(one) for one in block.arguments]
        types = [self._type(one.type) for one in block.arguments]
        operations = [self._operation(one.operation, depth) for one in block.operations]
        return {"arguments": arguments, "types": types, "operations": operations}

    def _operation(self, operation: Any, depth: int) -> dict[str, Any]:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            message = f"more than {MOST_OPERATIONS:,} operations"
            raise DamagedError(message)
        told: dict[str, Any] = {
            "name": operation.name,
            "where": self._name(operation.location),
            "operands": [self._numbers[one] for one in operation.operands],
            "results": [self._new(one) for one in operation.results],
            "types": [self._type(one.type) for one in operation.results],
            "attributes": {
                name: self._held(operation.attributes, name) for name in operation.attributes
            },
        }
        if len(operation.regions):
            told["regions"] = [
                self._region(one, depth + 1) for one in operation.regions if len(one.blocks)
            ]
        return told

    def _new(self, value: Any) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    # -------------------------------------------------------------- parts

    def _type(self, held: Any) -> dict[str, Any]:
        """The lengths of the axes, None where one is open, and the type of the elements."""
        ir = self._ir
        if not isinstance(held, ir.ShapedType):
            return {"shape": None, "element": str(held)[:_LONGEST]}
        if not held.has_rank:
            return {"shape": None, "element": f"unranked {held.element_type}"[:_LONGEST]}
        shape = [
            None if held.is_dynamic_dim(axis) else held.get_dim_size(axis)
            for axis in range(held.rank)
        ]
        element = str(held.element_type)[:_LONGEST]
        if element in self._quantized:
            return {"shape": shape, "element": self._quantized[element], "is_quantized": True}
        return {"shape": shape, "element": element}

    def _name(self, location: Any, depth: int = 0) -> str:
        """The name that stands nearest in a location."""
        if depth > _DEEPEST:
            return ""
        match type(location).__name__:
            case "NameLoc":
                return str(location.name_str)
            case "CallSiteLoc":
                return self._name(location.callee, depth + 1)
            case "FusedLoc":
                names = (self._name(one, depth + 1) for one in location.locations)
                return next((name for name in names if name), "")
        return ""

    def _held(self, attributes: Any, name: str) -> Any:
        """The plain value of an attribute; None where Python cannot hold it: complex numbers."""
        try:
            held = attributes[name]
        except TypeError:
            return None
        return self._attribute(held)

    def _attribute(self, held: Any) -> Any:
        """The plain value of an attribute; a text where its form is another one."""
        kind = type(held).__name__
        if kind in _PLAIN:
            return held.value
        if kind in _LISTS:
            is_attribute = (isinstance(one, self._ir.Attribute) for one in held)
            pairs = zip(held, is_attribute, strict=True)
            return [self._attribute(one) if is_held else one for one, is_held in pairs]
        if kind == "DictAttr":
            return {one.name: self._attribute(one.attr) for one in held}
        if kind == "UnitAttr":
            return True
        return self._structure(held)

    def _structure(self, held: Any) -> Any:
        """The numbers of a constant or of an attribute of StableHLO."""
        text = "" if isinstance(held, self._ir.DenseElementsAttr) else str(held)
        structure = _STRUCTURES.get(text.partition("<")[0] + "<")
        if structure is not None:
            numbers = getattr(self._stablehlo, structure[0])(held)
            return {name: getattr(numbers, name) for name in structure[1:]}
        if not text:
            return self._elements(held)
        if text.startswith("dense_resource<"):
            return {"tensor": self._type(held.type)}
        if text.startswith("#stablehlo<"):  # such as #stablehlo<comparison_direction LT>
            return text[:-1].rpartition(" ")[2]
        return text[:_LONGEST]

    def _elements(self, held: Any) -> dict[str, Any]:
        """A constant: its type, and its numbers where they are few or all the same."""
        told = {"tensor": self._type(held.type)}
        if held.is_splat:
            number = _number(held.get_splat_value())
            return told if number is None else {**told, "splat": number}
        if math.prod(told["tensor"]["shape"]) > MOST_ELEMENTS:
            return told
        try:
            numbers = [_number(one) for one in held]
        except TypeError:  # such as bfloat16
            return told
        return told if None in numbers else {**told, "numbers": numbers}


def _number(held: Any) -> float | int | None:
    """The plain number of an attribute or of a number."""
    value = getattr(held, "value", held)
    return value if isinstance(value, int | float) else None


def _bound_memory(more: int) -> None:
    """Let this process take no more than `more` bytes beyond what it has now."""
    try:
        import resource  # noqa: PLC0415  # not on every platform
    except ImportError:
        return
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # the least imports
            now = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))


if __name__ == "__main__":
    answer = json.dumps(main(sys.stdin.buffer.read(), int(sys.argv[1])))
    sys.stdout.write(answer)
