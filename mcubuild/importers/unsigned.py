"""Networks of uint8, as they were before TensorFlow Lite had int8: levels and zero points less 128 are int8.

That changes no real value, and of the arithmetic of the operators that say that they take UINT8 only how averages round
and how precisely factors are computed.
"""

from dataclasses import replace

import numpy as np

from mcubuild.importers.tflite_file import File, FileTensor


def signed(file: File) -> File:
    """The file with INT8 tensors, marked as ``unsigned``, in place of UINT8 ones."""
    return replace(
        file, tensors=tuple(_signed(tensor) if tensor.dtype == "UINT8" else tensor for tensor in file.tensors)
    )


def _signed(tensor: FileTensor) -> FileTensor:
    values = tensor.values
    return replace(
        tensor,
        dtype="INT8",
        zero_point=tuple(zero - 128 for zero in tensor.zero_point),
        values=None if values is None else (values.astype(np.int16) - 128).astype(np.int8),
        unsigned=True,
    )
