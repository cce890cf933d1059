"""A workload as the text of a module of MLIR: a function for each operator, and one that calls."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import Final

from attrs import define, evolve, field

from costmodel.errors import LinalgError
from costmodel.tensor.shapes import Tensor
from costmodel.workload.graph import Node, View, Workload
from costmodel.workload.linalg.tables import PREFIX, Element, format_text
from costmodel.workload.linalg.writing import text_of
from costmodel.workload.operators import Operator

_DECLARATION: Final = re.compile(r'^func\.func private @"(.*)"(\([^{"]*)$', re.MULTILINE)
"""The declaration of a function without an operation in `arith` or `math`: its name and types."""


def to_mlir(workload: Workload) -> str:
    """The MLIR text of a function that does a workload; `from_mlir` reads it back.

    Each operator is a function around one `linalg.generic`, as `to_linalg` writes it, which is
    called. One that `linalg.generic` cannot state, such as a softmax, is the call of a function
    that is only declared, with the operator as JSON in an attribute. A reshape and a slice are
    operations of `tensor`.

    Raises:
        LinalgError: the workload has a loop, a branch or sizes that are open, or a format that no
            text states.
        TypeError: it is no workload.

    """
    if not isinstance(workload, Workload):
        message = (  # type: ignore[unreachable]  # a caller may have no types
            f"expected a workload, found a {type(workload).__name__}; to_linalg writes an "
            "operator, and costmodel.lower(network).bind(batch=1) is the workload of a network"
        )
        raise TypeError(message)
    return _Writer(workload).text()


@define
class _Writer:
    workload: Workload
    functions: list[str] = field(factory=list)
    declared: dict[str, None] = field(factory=dict)
    lines: list[str] = field(factory=list)
    values: dict[str, str] = field(factory=dict)
    known: dict[Operator, str] = field(factory=dict)
    called: dict[tuple[str, str], str] = field(factory=dict)
    """The names of functions without an operation in `arith` or `math`, by name and types."""

    def text(self) -> str:
        """The module."""
        workload = self.workload
        if workload.symbols:
            message = f"workload {workload.name!r:.80} has open sizes; bind it: bind(batch=1)"
            raise LinalgError(message)
        sources = [*workload.inputs, *workload.weights]
        roles = ["input"] * len(workload.inputs) + ["weight"] * len(workload.weights)
        for place, name in enumerate(sources):
            self.values[name] = f"%arg{place}"
        for step in workload.steps:
            if isinstance(step, Node):
                self._node(step)
            elif isinstance(step, View):
                self._view(step)
            else:
                message = (
                    f"step {step.name!r:.80} is a {type(step).__name__.lower()}; write its body "
                    "as a workload of its own"
                )
                raise LinalgError(message)
        types = [self._type(name) for name in workload.outputs]
        given = ", ".join(self.values[name] for name in workload.outputs)
        head = ", ".join(f"{self.values[name]}: {self._type(name)}" for name in sources)
        attributes = _attributes(
            name=workload.name, roles=roles, tensors=sources, formats=self._formats(sources)
        )
        return "\n".join(
            [
                *self.declared,
                *self.functions,
                f"func.func @main({head}) -> ({', '.join(types)}) attributes {attributes} {{",
                *[f"  {line}" for line in self.lines],
                f"  return {given} : {', '.join(types)}" if types else "  return",
                "}",
                "",
            ]
        )

    # -------------------------------------------------------------- steps

    def _node(self, node: Node) -> None:
        operands = node.operator.operands
        order = [place for place, one in enumerate(operands) if one.role != "output"]
        order += [place for place, one in enumerate(operands) if one.role == "output"]
        operator = evolve(node.operator, operands=[operands[place] for place in order])
        name = self.known.get(operator)
        if name is None:
            name = self.known[operator] = self._function(operator)
        attributes = _attributes(
            name=node.name, tensors=node.writes, layer=node.layer or None,
            folds_into=node.folds_into,
        )  # fmt: skip
        self._call(name, node.reads, node.writes, attributes)

    def _function(self, operator: Operator) -> str:
        """Add the function of an operator; returns its name."""
        name = f"op{len(self.known)}"
        try:
            text = text_of(operator, Element.of(None))
        except LinalgError:
            self._declare(
                name,
                [one.tensor for one in operator.operands if one.role != "output"],
                [one.tensor for one in operator.outputs],
                operator=_json(operator),
            )
            return name
        for function, types in _DECLARATION.findall(text):
            text = self._with_own_name(text, function, types)
        body = _DECLARATION.sub("", text).strip()
        self.functions.append(body.replace("func.func @operator(", f"func.func private @{name}("))
        return name

    def _with_own_name(self, text: str, function: str, types: str) -> str:
        """The text of an operator whose function is declared, under a name for its types alone."""
        own = self.called.get((function, types))
        if own is None:
            taken = set(self.called.values())
            numbered = (f"{function}.{number}" for number in itertools.count(2))
            own = next(one for one in itertools.chain([function], numbered) if one not in taken)
            self.called[function, types] = own
            self.declared[f'func.func private @"{own}"{types}'] = None
        if own == function:
            return text
        stated = f'{{{PREFIX}function = "{function.removeprefix(PREFIX)}"}}'
        call = re.compile(rf'func\.call @"{re.escape(function)}"(\([^)]*\))')
        return call.sub(lambda found: f'func.call @"{own}"{found[1]} {stated}', text)

    def _view(self, view: View) -> None:
        workload = self.workload
        source, target = workload.tensors[view.source], workload.tensors[view.target]
        attributes = _attributes(
            name=view.name, tensors=[view.target], formats=self._formats([view.target]),
            layer=view.layer or None,
        )  # fmt: skip
        held, wanted = self.values[view.source], self._type(view.target)
        given = self._type(view.source)
        if view.kind == "slice":
            starts, sizes = list(view.starts), list(target.shape)
            self._line(
                view.target,
                f"tensor.extract_slice {held}{starts} {sizes} {[1] * len(sizes)} {attributes} : "
                f"{given} to {wanted}",
            )
            return
        name = f"view{len(self.declared)}_{len(self.lines)}"
        self._declare(name, [source], [target], view=view.kind)
        self._call(name, [view.source], [view.target], attributes)

    def _declare(
        self, name: str, reads: Sequence[Tensor], writes: Sequence[Tensor], **attributes: str
    ) -> None:
        given = ", ".join(map(_type, reads))
        made = ", ".join(map(_type, writes))
        text = f"func.func private @{name}({given}) -> ({made}) attributes "
        self.declared[text + _attributes(**attributes)] = None

    def _call(
        self, name: str, reads: Sequence[str], writes: Sequence[str], attributes: str
    ) -> None:
        given = ", ".join(self.values[one] for one in reads)
        types = ", ".join(map(self._type, reads))
        made = ", ".join(map(self._type, writes))
        text = f"func.call @{name}({given}) {attributes} : ({types}) -> ({made})"
        if not writes:
            self.lines.append(text)
            return
        first = f"%v{len(self.lines)}"
        if len(writes) == 1:
            self.values[writes[0]] = first
            self.lines.append(f"{first} = {text}")
            return
        for place, one in enumerate(writes):
            self.values[one] = f"{first}#{place}"
        self.lines.append(f"{first}:{len(writes)} = {text}")

    def _line(self, name: str, text: str) -> None:
        self.values[name] = f"%v{len(self.lines)}"
        self.lines.append(f"{self.values[name]} = {text}")

    def _type(self, name: str) -> str:
        return _type(self.workload.tensors[name])

    def _formats(self, names: Sequence[str]) -> list[str]:
        return [format_text(self.workload.tensors[name].format) for name in names]


def _type(tensor: Tensor) -> str:
    if 0 in tensor.shape:
        message = f"a tensor of shape {tensor.shape} has no elements; expected one or more"
        raise LinalgError(message)
    lengths = "".join(f"{length}x" for length in tensor.shape)
    return f"tensor<{lengths}{Element.of(tensor.format)}>"


def _attributes(**held: str | Sequence[str] | None) -> str:
    """A dictionary of attributes; what is None is left out."""
    parts = [
        f"{PREFIX}{name} = {_quoted(value) if isinstance(value, str) else _listed(value)}"
        for name, value in held.items()
        if value is not None
    ]
    return f"{{{', '.join(parts)}}}"


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    """A string of MLIR: other characters than printable ones are written as their bytes."""
    return '"' + "".join(
        chr(byte) if _PLAIN[0] <= byte <= _PLAIN[1] and chr(byte) not in '"\\' else f"\\{byte:02X}"
        for byte in text.encode()
    ) + '"'  # fmt: skip


_PLAIN: Final = (0x20, 0x7E)


def _json(operator: Operator) -> str:
    """A workload of one node, which is the operator, as JSON."""
    from costmodel.workload.serialization import workload_values  # noqa: PLC0415  # only for these

    names = [f"t{place}" for place in range(len(operator.operands))]
    roles = [one.role for one in operator.operands]

    def with_role(role: str) -> list[str]:
        return [name for name, each in zip(names, roles, strict=True) if each == role]

    alone = Workload(
        "operator",
        {name: one.tensor for name, one in zip(names, operator.operands, strict=True)},
        [Node("operator", operator, names)],
        with_role("input"),
        with_role("output"),
        with_role("weight"),
    )
    return json.dumps(workload_values(alone))
