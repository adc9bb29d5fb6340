"""docs/operators.md: what a .tflite file may hold, from the converters themselves."""

from mcubuild.importers.operators import CONVERTERS
from mcubuild.importers.reals import FUNCTIONS


def operators_page() -> str:
    """The page, in Markdown."""
    lines = [
        "# Operators of .tflite files",
        "",
        "Written by `doit schema` from `mcubuild/importers`. What is not listed is refused. Weights and",
        "biases have the types of TensorFlow Lite's quantisation specification. UINT8 is that of files from before it,",
        "computed as LiteRT's reference kernels do (fully connected layers round their sums twice, as INT8 ones of",
        "TensorFlow Lite Micro); weights too far from their zero point for INT8 take portable C.",
        "",
        "| operator | activations | limits |",
        "|---|---|---|",
        *(
            f"| {kind} | {', '.join(converter.types)} | {converter.limits} |"
            for kind, converter in sorted(CONVERTERS.items())
            if not converter.own
        ),
        "| DEQUANTIZE | INT8, INT16 | at outputs; of INT8 also before functions in FLOAT32 (below) |",
        "",
        f"Between DEQUANTIZE and QUANTIZE {', '.join(sorted(FUNCTIONS))} may be FLOAT32: they become a table.",
    ]
    return "\n".join(lines) + "\n"
