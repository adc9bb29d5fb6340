"""[model]: a network that exists already, instead of a search for one."""

from typing import Annotated, Any, TypeAlias

from pydantic import Field, field_validator, model_validator

from mcubuild.settings import Settings

Side: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class ModelSettings(Settings):
    """A network in a file; paths are relative to the spec."""

    file: str = Field(pattern=r"\.(([Tt][Ff])?[Ll][Ii][Tt][Ee]|[Oo][Nn][Nn][Xx]|[Pp][Tt]2)$")
    """A .tflite (or .lite) file, quantised to 8 bits, or to activations of 16 bits and weights of 8; or an .onnx file
    with QuantizeLinear and DequantizeLinear around its operators; or a .pt2 file of ``torch.export.save``, with PT2E's
    quantize and dequantize; or any in floating point, which is quantised here by ``inputs`` or the data set."""
    inputs: tuple[str, ...] | None = Field(default=None, min_length=1)
    """.npy files of samples to run, one for each input of the network: (N, ...) of the type that the file says. Of a
    network that remembers, a sample is a sequence of runs: (N, runs, ...). Without them, and without a data set, the
    inputs are random. By them a network in floating point is quantised."""
    outputs: tuple[str, ...] | None = Field(default=None, min_length=1)
    """.npy files of what the network's author computed for ``inputs``, one for each output: if the integer reference
    differs from them by more than ``tolerance``, the verdict is "fail"."""
    tolerance: int = Field(default=0, ge=0)
    """Steps of an output by which it may differ from ``outputs``: a step is the output's scale."""
    labels: str | None = None
    """.npy file of the classes of ``inputs``, for the accuracy: integers (N,) from 0 on, or one-hot (N, classes). The
    largest output is the answer; of a single unit class 1, if it is above ``threshold``."""
    output: str | int | None = None
    """Which output the classes are of, where the network has several: its name in the file, or its number from 0 on."""
    threshold: float | None = None
    """Real value of a single output unit above which the answer is class 1; default: 0.5 of a probability, 0 of a
    logit."""
    pixels: tuple[float, float] | None = None
    """Of a data set: the real values that the network takes for pixel values 0 and 255, such as ``[0, 1]``; default: as
    scale and zero point of its input imply, which a network in floating point does not have."""
    anchors: tuple[tuple[Side, Side], ...] | None = Field(default=None, min_length=1, max_length=16)
    """Of a detector with YOLOv2's head, whose output (1, rows, columns, anchors x (5 + classes)) has x, y, width,
    height, objectness and classes of each anchor: heights and widths of these anchors, as shares of the input's.
    Classes are those of the data set, which has boxes, in its order."""
    samples: int = Field(default=8, ge=1, le=1000)
    """How many random inputs to run, where there are no others."""

    @field_validator("output", mode="before")
    @classmethod
    def _number_or_name(cls, value: Any) -> Any:
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not (value is None or isinstance(value, str) or number):
            raise ValueError(f'found {value!r}; write the number of the output, from 0 on, or its name: output = "y"')
        return value

    @field_validator("pixels", mode="before")
    @classmethod
    def _one_range(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and any(isinstance(each, list | tuple) for each in value):
            raise ValueError(
                "found a range a channel; all channels have one. Let the network subtract the mean and divide by the "
                "deviation itself, before its first layer, and export it again: pixels = [0, 1]"
            )
        return value

    @field_validator("pixels")
    @classmethod
    def _a_range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] == value[1]:
            raise ValueError(f"found {list(value)}; write two different numbers, as in [0, 1]")
        return value

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _belong_to_inputs(self) -> "ModelSettings":
        for key in ("outputs", "labels"):
            if self.inputs is None and getattr(self, key) is not None:
                raise ValueError(f'found {key} without inputs; name the samples that they belong to: inputs = "x.npy"')
        return self
