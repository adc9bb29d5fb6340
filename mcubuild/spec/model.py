"""[model]: a network that exists already, instead of a search for one."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from mcubuild.settings import Settings


class ModelSettings(Settings):
    """A quantised network in a file; paths are relative to the spec."""

    file: str = Field(pattern=r"\.([Tt][Ff])?[Ll][Ii][Tt][Ee]$")
    """A .tflite (or .lite) file, quantised to 8 bits."""
    inputs: tuple[str, ...] | None = Field(default=None, min_length=1)
    """.npy files of samples to run, one for each input of the network: (N, ...) of the type that the file says. Without
    them, and without a data set, the inputs are random."""
    outputs: tuple[str, ...] | None = Field(default=None, min_length=1)
    """.npy files of what the network's author computed for ``inputs``, one for each output: to be compared with."""
    labels: str | None = None
    """.npy file of the classes of ``inputs``, integers (N,), for the accuracy; the largest output is the answer."""
    samples: int = Field(default=8, ge=1, le=1000)
    """How many random inputs to run, where there are no others."""

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
