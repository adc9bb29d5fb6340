"""TensorFlow Lite Micro itself, where it is installed, and LiteRT's reference kernels: what is exact."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Reference = Callable[[bytes, list[NDArray[Any]], list[int]], dict[int, NDArray[Any]]]
"""File, inputs, numbers of tensors -> the tensors' values after one run."""


needs_micro = pytest.mark.needs("tflite_micro")


def micro_tensors(data: bytes, inputs: list[NDArray[Any]], wanted: list[int]) -> dict[int, NDArray[Any]]:
    """Values of the tensors ``wanted`` after one run of TensorFlow Lite Micro's interpreter."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(
        data,
        arena_size=1 << 22,
        intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
    )
    for index, values in enumerate(inputs):
        interpreter.set_input(values, index)
    interpreter.invoke()
    return {index: np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in wanted}


def host_tensors(data: bytes, inputs: list[NDArray[Any]], wanted: list[int]) -> dict[int, NDArray[Any]]:
    """The same with LiteRT's reference kernels."""
    from ai_edge_litert import interpreter as litert

    interpreter = litert.Interpreter(
        model_content=data,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return {index: np.array(interpreter.get_tensor(index)) for index in wanted}
