"""TensorFlow Lite Micro itself, where it is installed, and LiteRT's reference kernels: what is exact."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Inputs = list[NDArray[Any]]
Tensors = dict[int, NDArray[Any]]
Reference = Callable[[bytes, Inputs, list[int]], Tensors]
"""File, inputs, numbers of tensors -> the tensors' values after one run."""
References = Callable[[bytes, list[Inputs], list[int]], list[Tensors]]
"""The same of one run after the other."""


needs_micro = pytest.mark.needs("tflite_micro")


def micro_runs(data: bytes, runs: list[Inputs], wanted: list[int]) -> list[Tensors]:
    """Values of the tensors ``wanted`` after each of the runs of TensorFlow Lite Micro's interpreter."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(
        data,
        arena_size=1 << 22,
        intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
    )
    results = []
    for inputs in runs:
        for index, values in enumerate(inputs):
            interpreter.set_input(values, index)
        interpreter.invoke()
        results.append({index: np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in wanted})
    return results


def micro_tensors(data: bytes, inputs: Inputs, wanted: list[int]) -> Tensors:
    """The same after one run."""
    return micro_runs(data, [inputs], wanted)[0]


def host_runs(data: bytes, runs: list[Inputs], wanted: list[int]) -> list[Tensors]:
    """The same with LiteRT's reference kernels."""
    from ai_edge_litert import interpreter as litert

    interpreter = litert.Interpreter(
        model_content=data,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    results = []
    for inputs in runs:
        for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], values)
        interpreter.invoke()
        results.append({index: np.array(interpreter.get_tensor(index)) for index in wanted})
    return results


def host_tensors(data: bytes, inputs: Inputs, wanted: list[int]) -> Tensors:
    """The same after one run."""
    return host_runs(data, [inputs], wanted)[0]
