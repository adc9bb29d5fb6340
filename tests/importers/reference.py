"""TensorFlow Lite Micro itself, and LiteRT's reference kernels, where they are installed: what is exact."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Reference = Callable[[bytes, list[NDArray[Any]], list[int]], dict[int, NDArray[Any]]]
"""File, inputs, numbers of tensors -> the tensors' values after one run."""


def micro_tensors(data: bytes, inputs: list[NDArray[Any]], wanted: list[int]) -> dict[int, NDArray[Any]]:
    """Values of the tensors ``wanted`` after one run of TensorFlow Lite Micro's interpreter; skips without it."""
    runtime: Any = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is missing")
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
    """The same with LiteRT's reference kernels; skips without it."""
    litert: Any = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is missing")
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
