"""`colorize serve`: a page on this machine to drop a photograph on and see it in colour (ours; Gradio, extra `web`)."""

import argparse
import functools
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from preprocessing.embedded import embedded_files
from preprocessing.files import UserError
from preprocessing.options import natural
from preprocessing.photograph import Photograph, UnreadableFile, png, read_photograph
from results.colorize.full_size import gray_picture, join, merged, views
from results.colorize.jobs import fitting
from results.prediction.predict import load_colorizer
from results.prediction.weights import shipped_networks

MOST_MEGABYTES = 50  # of an upload
MOST_PIXELS = 50_000_000
PREVIEW = 1024  # px, the longer side of what the page shows; the download has the photograph's size
MOST_VIBRANCE = 4.0


@dataclass(frozen=True)
class Seen:
    """A photograph, and what a network says of it before temperature and vibrance are chosen."""

    name: str
    photograph: Photograph
    colorizer: object
    looked: list  # one a view


def main(arguments):
    """Serve the page until Ctrl-C; nothing that was dropped on it stays behind."""
    parser = argparse.ArgumentParser(prog="colorize serve", description=__doc__)
    parser.add_argument("--port", type=natural, help="(default: the first free one from 7860)")
    port = parser.parse_args(arguments).port
    if port is not None and not 0 < port < 65536:
        raise UserError("--port: 1 to 65535")
    taken = UserError(f"port {port or 'from 7860 on'} is taken: choose another with --port")
    if port:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            raise taken from None  # before seconds of imports
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        try:
            import gradio as gr
        except ImportError:
            raise UserError("colorize serve needs Gradio: pip install -e '.[web]'") from None
        demo = page(Path(folder))
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        try:
            _, url, _ = demo.launch(
                server_name="127.0.0.1",
                server_port=port,
                prevent_thread_lock=True,
                quiet=True,
                max_file_size=f"{MOST_MEGABYTES}mb",
                state_session_capacity=8,
                ssr_mode=False,
                footer_links=[],
                theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            )
        except OSError:
            raise taken from None
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # an upload that is given up is no traceback
        print(f"Colorize is at {url} (Ctrl-C stops it)", flush=True)
        stopped.wait()
        demo.close()
    sys.exit(130)


def page(folder):
    """The page, as Gradio blocks; `folder` takes the sample photographs and the results."""
    import gradio as gr

    samples = _write_samples(folder)
    networks = networks_offered()
    with gr.Blocks(title="Colorize", analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        gr.Markdown(
            "## Colorize\nDrop a photograph, or choose one below. Its own colours, if it has any, are set aside first."
        )
        seen = gr.State(time_to_live=3600)
        with gr.Row():
            with gr.Column(scale=1):
                file = gr.File(
                    label=f"Photograph, up to {MOST_MEGABYTES} MB and {MOST_PIXELS // 10**6} megapixels",
                    height=140,
                    elem_id="photograph",
                )
                network = gr.Dropdown(networks, value=networks[0][1], label="Network", elem_id="network")
                vibrance = gr.Slider(0.1, MOST_VIBRANCE, 1.0, step=0.05, label="Vibrance", elem_id="vibrance")
                temperature = gr.Slider(
                    0.05, 1.0, 0.38, step=0.01, label="Temperature", visible=False, elem_id="temperature"
                )
                gallery = gr.Gallery(
                    samples, show_label=False, columns=3, height="auto", allow_preview=False, buttons=[]
                )
            with gr.Column(scale=2):
                before_after = gr.ImageSlider(
                    label="before | after", type="numpy", format="png", buttons=[], max_height=520, elem_id="result"
                )
                download = gr.Button("Download at full size", variant="primary", interactive=False, elem_id="download")
                finished = gr.DownloadButton(visible="hidden", elem_id="finished")
        shown = [before_after, seen, vibrance, temperature, download]
        one_at_a_time = {"concurrency_id": "network", "concurrency_limit": 1}

        def look(path, name):
            nothing = None, None, gr.skip(), gr.skip(), gr.update(interactive=False)
            if path is None:
                return nothing
            try:
                now = see(path, name)
            except UnreadableFile as error:
                gr.Warning(f"{Path(path).name}: {error}")
                return nothing  # or Download would give the photograph before it
            chosen = now.colorizer
            return (
                preview(now, chosen.vibrance, chosen.temperature),
                now,
                gr.update(value=chosen.vibrance),
                gr.update(value=chosen.temperature, visible=chosen.predicts_bins),
                gr.update(interactive=True),
            )

        def decode(now, vibrance, temperature):
            return gr.skip() if now is None else preview(now, vibrance, temperature)

        def full_size(now, vibrance, temperature):
            if now is None:  # after an hour
                raise gr.Error("Drop the photograph once more.", print_exception=False)
            path = Path(tempfile.mkdtemp(dir=folder)) / fitting(now.name, "-colorized.png")
            path.write_bytes(png(picture(now, now.photograph.L, vibrance, temperature), now.photograph.alpha))
            return str(path)

        for change in (file.change, network.change):
            change(look, [file, network], shown, **one_at_a_time)
        for slider in (vibrance, temperature):
            # `input` is a person's hand only, not what `look` sets; a newer position takes an older one's place
            slider.input(
                decode, [seen, vibrance, temperature], before_after, trigger_mode="always_last", **one_at_a_time
            )
        download.click(full_size, [seen, vibrance, temperature], finished, **one_at_a_time).then(
            None, js="() => document.querySelector('#finished').click()"
        )

        @gallery.select(outputs=file)
        def choose(event: gr.SelectData):
            return samples[event.index]

    return demo


def networks_offered():
    """`(what is said of it, name)` of each network that ships, the U-Nets first, then the larger."""

    def order(name):
        each = attributes[name]
        return not each["network"].startswith("unet"), -each["resolution"], each.get("objective", "l2") != "l2", name

    attributes = shipped_networks()
    kinds = {
        name: "U-Net" if each["network"].startswith("unet") else "seven layers" for name, each in attributes.items()
    }
    return [(f"{name} ({kinds[name]})", name) for name in sorted(attributes, key=order)]


def see(path, name):
    """Read a photograph and show it to the network `name`.

    Raises
    ------
    UnreadableFile
        It is no photograph, or has more than MOST_PIXELS pixels.
    """
    photograph, colorizer = _read(path), _colorizer(name)
    looked = [list(colorizer.look(view)) for view in views(photograph.L[None], colorizer.resolution)]
    return Seen(Path(path).stem, photograph, colorizer, looked)


@functools.lru_cache(maxsize=2)
def _read(path):
    return read_photograph(Path(path).read_bytes(), MOST_PIXELS)


_colorizer = functools.cache(load_colorizer)


def preview(seen, vibrance, temperature):
    """(gray, coloured), each (h, w, 3) uint8 RGB and at most PREVIEW px long."""
    L = seen.photograph.L
    scale = min(1.0, PREVIEW / max(L.shape))
    size = [max(1, round(side * scale)) for side in L.shape[1::-1]]
    small = cv2.resize(L, size, interpolation=cv2.INTER_AREA)[..., None]
    return tuple(each[..., ::-1] for each in (gray_picture(small), picture(seen, small, vibrance, temperature)))


def picture(seen, L, vibrance, temperature):
    """The photograph in colour at the size of `L`, (H, W, 1) uint8 -> (H, W, 3) uint8 BGR."""
    ab = merged([seen.colorizer.decode(np.stack(looked), temperature) for looked in seen.looked])
    return join(L, ab[0], vibrance)


def _write_samples(folder):
    return [shutil.copy(path, folder) for _, path in embedded_files()]
