"""From programs with channels first to files of operators with channels last, of real numbers and of levels.

What comes out is as if a converter had written it as a .tflite file: the same importer reads both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcubuild.errors import BuildError
from mcubuild.importers.builder import UnsupportedError
from mcubuild.importers.lowering import elementwise, movement, normalization, quantization, weighted, windows
from mcubuild.importers.lowering.constants import computed
from mcubuild.importers.lowering.lowering import Lowering, Value
from mcubuild.importers.lowering.place import Known, Placed, channels_last, placed_shape, plain
from mcubuild.importers.program import Call, Program, printable
from mcubuild.importers.refusals import told
from mcubuild.importers.tflite_file import File

CONVERTERS: Mapping[str, Callable[[Lowering, Call], Value | Sequence[Value]]] = {
    **weighted.CONVERTERS,
    **elementwise.CONVERTERS,
    **windows.CONVERTERS,
    **movement.CONVERTERS,
    **normalization.CONVERTERS,
    **quantization.CONVERTERS,
}
"""By ONNX's name; each gives the values of the results."""
_INPUTS: Mapping[str, str] = {"float32": "FLOAT32", "float64": "FLOAT32", "uint8": "UINT8", "int8": "INT8"}


def lowered(program: Program) -> File:
    """The network of ``program`` as a file.

    Raises:
        BuildError: an operator is not supported, or makes no sense, told with its place and tensors.
    """
    call: Call | None = None
    lowering = Lowering(program)
    try:
        lowering = Lowering(quantization.expanded(program))
        inputs = [_input(lowering, each.name, each.shape, each.dtype) for each in program.inputs]
        for call in lowering.program.calls:
            _lower(lowering, call)
        call = None
        return lowering.file(inputs, [_output(lowering, name) for name in program.outputs])
    except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
        if call is None:
            raise BuildError(f"{program.path}: {error}.") from None
        raise BuildError(told(program.path, call.place, error, _shown(lowering, call))) from None


def _lower(lowering: Lowering, call: Call) -> None:
    known = computed(lowering, call)
    if known is not None:
        lowering.values[call.outputs[0]] = known
        return
    if call.kind not in CONVERTERS:
        raise UnsupportedError("is not supported; docs/models.md lists what is")
    found = CONVERTERS[call.kind](lowering, call)
    results = [found] if isinstance(found, Known | Placed) else found
    lowering.values.update(zip(call.outputs, results, strict=False))


def _is_of_signals(lowering: Lowering) -> bool:
    """Whether anything slides along an axis, so that the one before it is that of channels; else it may be either."""
    return any("Conv" in call.kind or "Pool" in call.kind or "BatchN" in call.kind for call in lowering.program.calls)


def _input(lowering: Lowering, name: str, shape: tuple[int, ...], dtype: str) -> Placed:
    """An input; images and signals lie with their channels last."""
    if dtype not in _INPUTS:
        raise UnsupportedError(f"the input {printable(name, 40)!r} is {dtype}, must be {', '.join(_INPUTS)}")
    order = channels_last(len(shape)) if len(shape) > 3 or _is_of_signals(lowering) else plain(len(shape))
    place = Placed(lowering.tensor(name, placed_shape(shape, order), _INPUTS[dtype]), shape, order)
    lowering.values[name] = place
    return place


def _output(lowering: Lowering, name: str) -> Placed:
    """An output, of the program's type."""
    value = lowering.values.get(name)
    if not isinstance(value, Placed):
        raise UnsupportedError(f"the output {printable(name, 40)!r} is not computed from the inputs")
    if value.index not in lowering.unsigned:
        return value
    tensor = lowering.tensors[value.index]
    index = len(lowering.tensors)
    zero = (tensor.zero_point[0] + 128,)
    lowering.tensors.append(replace(tensor, index=index, dtype="UINT8", zero_point=zero, name=printable(name)))
    lowering.append(Call("", (), (), {}, f"output {printable(name, 40)!r}"), "QUANTIZE", [value.index], [index])
    return Placed(index, value.shape, value.order)


def _shown(lowering: Lowering, call: Call) -> list[str]:
    """The operands that are known so far, and the result."""
    names = [name for name in dict.fromkeys(call.inputs) if name]
    parts = []
    for name in names:
        value = lowering.values.get(name)
        constant = "constant " if isinstance(value, Known) else ""
        parts.append(f"{printable(name, 24)!r}" + ("" if value is None else f" {constant}{value.shape}"))
    return [*parts, *(f"{printable(name, 24)!r}" for name in call.outputs[:1])]
