"""`make bench`, its part on what a user waits for: a command's start, the network, a film, the page."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_MEGAPIXEL, TWELVE, FULL_HD = (1224, 816), (4000, 3000), (1920, 1080)
FRAMES = 96
TIMES = 5  # the fastest counts
NETWORKS = ("unet_128", "l2_128")


def bench_product(image_bgr):
    """Print and give what each takes; `image_bgr`, (H, W, 3) uint8, is enlarged to the sizes that are measured."""
    import cv2

    def enlarged(size):
        return cv2.resize(image_bgr, size, interpolation=cv2.INTER_CUBIC)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, size in (("one.jpg", ONE_MEGAPIXEL), ("twelve.jpg", TWELVE)):
            cv2.imwrite(str(folder / name), enlarged(size))
        measured = bench_start(folder / "one.jpg")
        for name in NETWORKS:
            measured |= bench_network(enlarged(ONE_MEGAPIXEL), name)
        measured["film_frames_per_second"] = bench_film(enlarged(TWELVE), folder)
        measured["page_seconds"] = bench_page(folder / "twelve.jpg", folder / "one.jpg", folder)
    return measured


def bench_start(photograph):
    """Seconds from starting `colorize photo.jpg` to the written file, next to those of importing TensorFlow."""
    commands = {
        "start_seconds": ["-m", "results.colorize", str(photograph), "--force"],
        "tensorflow_import_seconds": ["-c", "import tensorflow"],
    }
    seconds = {name: min(_seconds_of(command) for _ in range(TIMES)) for name, command in commands.items()}
    ratio = seconds["start_seconds"] / seconds["tensorflow_import_seconds"]
    print(f"colorize, from its start to the file: {seconds['start_seconds']:.2f} s, {ratio:.2f} of TensorFlow's import")
    return seconds | {"start_share_of_import": ratio}


def _seconds_of(command):
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def bench_network(image_bgr, name):
    """Seconds that a network takes for one photograph in ONNX Runtime, and layer by layer in TensorFlow.

    A graph in TensorFlow would be built for each size of photographs anew, which takes seconds.
    """
    from dataclasses import replace

    from keras_port.network import assign, build_network
    from preprocessing.lab import bgr_to_lab
    from results.colorize.full_size import predict_small
    from results.prediction.predict import load_colorizer
    from results.prediction.weights import find_weights, load_weights

    ours = load_colorizer(name)
    model = build_network(ours.attributes["network"], ours.attributes["arguments"])
    assign(model, load_weights(find_weights(name)).arrays)
    theirs = replace(ours, _forward=lambda L: model(L, training=False).numpy())
    L, seconds = bgr_to_lab(image_bgr)[0][None], {}
    for runtime, colorizer in (("onnx", ours), ("tensorflow", theirs)):
        predict_small(L, colorizer.predict_ab, colorizer.resolution)
        seconds[runtime] = min(
            _seconds(lambda c=colorizer: predict_small(L, c.predict_ab, c.resolution)) for _ in range(TIMES)
        )
    ratio = seconds["onnx"] / seconds["tensorflow"]
    print(f"{name}, a photograph: {seconds['onnx'] * 1000:.0f} ms, {ratio:.2f} of TensorFlow's time")
    return {f"{name}_seconds": seconds["onnx"], f"{name}_share_of_tensorflow": ratio}


def _seconds(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def bench_film(image_bgr, folder):
    """Frames a second of a 1080p film that pans over a photograph, decoding and encoding included."""
    import av

    from results.colorize.film import colour_film
    from results.prediction.predict import load_colorizer

    width, height = FULL_HD
    with av.open(str(folder / "film.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25, width=width, height=height, pix_fmt="yuv420p")
        for number in range(FRAMES):
            seen = image_bgr[8 * number : 8 * number + height, 8 * number : 8 * number + width]
            film.mux(stream.encode(av.VideoFrame.from_ndarray(seen.copy(), "bgr24")))
        film.mux(stream.encode(None))
    colorizer = load_colorizer(NETWORKS[0])

    def coloured():
        colour_film(folder / "film.mp4", {"colorized": folder / "film-colorized.mp4"}, colorizer)

    rate = FRAMES / min(_seconds(coloured) for _ in range(2))
    print(f"colorize, a film of 1080p: {rate:.2f} frames/s")
    return rate


def bench_page(photograph, small, folder):
    """Seconds from dropping a photograph on the page to its colours there, over HTTP, once `small` was coloured."""
    from gradio_client import Client, handle_file

    command = [sys.executable, "-m", "results.colorize", "serve"]
    environment = os.environ | {"TMPDIR": str(folder)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    try:
        address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        client = Client(address, verbose=False, download_files=folder / "shown")
        for each in (small, photograph):
            seconds = _seconds(lambda: client.predict(handle_file(str(each)), NETWORKS[0], api_name="/look"))  # noqa: B023
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
    print(f"the page, 12 megapixels: {seconds:.2f} s")
    return seconds
