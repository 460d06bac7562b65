"""`colorize export`: a network as one file for other programs, L* in and CIE ab out; its metadata say the rest.

NAME is that of shipped weights, such as unet_128. An ONNX file takes pictures of any size; a TensorFlow Lite file, which is
made with TensorFlow (pip install -e '.[train]'), takes one of the network's own. Not in it: vibrance, the size of the
photograph, and its edges.
"""

import argparse
from pathlib import Path

from preprocessing.files import UserError, write_atomically


def main(arguments):
    """Write the file and say where it is."""
    parser = argparse.ArgumentParser(
        prog="colorize export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", metavar="NAME|FILE")
    parser.add_argument("--to", choices=("onnx", "tflite"), required=True)
    parser.add_argument("--bits", type=int, choices=(32, 16, 8), help="of the weights, with tflite (default: 32)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default: NAME.onnx or NAME.tflite, here)")
    options = parser.parse_args(arguments)
    if options.bits and options.to == "onnx":
        raise UserError("--bits is for tflite: leave it out")
    out = options.out or Path(f"{Path(options.weights).stem}.{options.to}")
    if out.exists():
        raise UserError(f"{out} exists: name another file with --out")

    from results.prediction.export import load, to_onnx, to_tflite

    colorizer, arrays = load(options.weights)
    data = to_onnx(colorizer, arrays) if options.to == "onnx" else to_tflite(colorizer, arrays, options.bits or 32)
    write_atomically(out, data)
    print(f"{out}: {len(data) / 1e6:.1f} MB")
