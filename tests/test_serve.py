"""The page of `colorize serve`, as a person in Chromium uses it."""

import os
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import photograph_file

from results.colorize import serve
from results.prediction.predict import load_colorizer
from results.prediction.weights import Weights, save_weights, shipped_names
from tf_raw.network import BinsNetwork, SevenLayerNetwork

pytest.importorskip("gradio", reason="the extra `web` is not installed")


def start(folder, *arguments):
    """The server and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "results.colorize", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    for line in process.stdout:
        if "http" in line:
            return process, next(word for word in line.split() if word.startswith("http"))
    raise AssertionError("the server said no address")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    process, url = start(folder)
    yield url
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not list(folder.iterdir())  # no photograph that was dropped is left


@pytest.fixture
def page(browser, served):  # no server where there is no browser
    with browser.new_context(accept_downloads=True, viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
        page.goto(served)
        wait_until_ready(page)
        yield page


def wait_until_ready(page):
    page.locator("button.thumbnail-item").first.wait_for()
    page.wait_for_timeout(1000)


def shown(page):
    """The coloured side of the picture on the page, (H, W, 3) uint8 BGR."""
    address = page.locator("#result img").evaluate_all("images => images.map(image => image.src)")[-1]
    return cv2.imdecode(np.frombuffer(page.request.get(address).body(), np.uint8), cv2.IMREAD_COLOR)


def wait_for_another(page, image_bgr):
    for _ in range(100):
        now = shown(page)
        if now.shape != image_bgr.shape or (now != image_bgr).any():
            return now
        page.wait_for_timeout(200)
    raise AssertionError("the picture stayed the same")


def colour(image_bgr):
    return np.ptp(image_bgr.astype(int), axis=-1).mean()


def drop(page, path):
    page.locator("#photograph input[type=file]").set_input_files(path)


def test_drop_see_colour_move_the_slider_and_download(page, tmp_path):
    photograph_file(tmp_path / "mine.jpg", 1, height=1100, width=1500)
    drop(page, tmp_path / "mine.jpg")
    page.wait_for_selector("#result img")
    first = shown(page)
    assert max(first.shape) == 1024
    assert colour(first) > 2
    number = page.locator("#vibrance input[type=number]")
    number.fill("0.1")
    number.press("Enter")
    pale = wait_for_another(page, first)
    assert colour(pale) < 0.5 * colour(first)
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(tmp_path / "result.png")
    result = cv2.imread(str(tmp_path / "result.png"))
    assert result.shape == (1100, 1500, 3)
    assert colour(result) == pytest.approx(colour(pale), rel=0.2)
    assert download.value.suggested_filename == "mine-colorized.png"


def test_another_network_and_a_sample_photograph(page):
    page.locator("button.thumbnail-item").first.click()
    page.wait_for_selector("#result img")
    first = shown(page)
    page.locator("#network input").click()
    page.get_by_role("option", name="rebalanced_64").click()
    assert wait_for_another(page, first).shape == first.shape
    result = page.locator("#result").bounding_box()
    for choice in ("#network", "#vibrance", "#temperature"):  # beside the picture, on a laptop's screen
        box = page.locator(choice).bounding_box()
        assert box["x"] + box["width"] <= result["x"]
        assert box["y"] + box["height"] <= 800


def test_the_networks_offered_are_the_files_that_ship():
    names = [name for _, name in serve.networks_offered()]
    assert sorted(names) == shipped_names()
    assert names[0].startswith("unet")


def test_after_a_refused_photograph_there_is_nothing_to_download(page, tmp_path):
    photograph_file(tmp_path / "mine.png", 1)
    (tmp_path / "text.jpg").write_text("hello")
    drop(page, tmp_path / "mine.png")
    page.wait_for_selector("#download:not([disabled])")
    clear = page.locator("#photograph").get_by_label("Clear")
    clear.click()
    drop(page, tmp_path / "text.jpg")
    page.get_by_text("text.jpg: no image that Pillow reads").wait_for()
    page.wait_for_selector("#download[disabled]")
    assert page.locator("#result img").count() == 0
    clear.click()
    drop(page, tmp_path / "mine.png")
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "mine-colorized.png"


def bomb(path, width, height):
    """A PNG whose header promises more pixels than its few bytes hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_what_is_no_photograph_or_too_large_is_said_so(page, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    drop(page, tmp_path / "text.jpg")
    page.get_by_text("text.jpg: no image that Pillow reads").wait_for()
    page.reload()
    wait_until_ready(page)
    bomb(tmp_path / "bomb.png", 30_000, 30_000)
    drop(page, tmp_path / "bomb.png")
    page.get_by_text("30000 x 30000 pixels are more than 50,000,000").wait_for()
    page.reload()
    wait_until_ready(page)
    (tmp_path / "heavy.png").write_bytes(b"0" * 51 * 1024**2)
    drop(page, tmp_path / "heavy.png")
    page.get_by_text("exceed the maximum allowed size of 50").wait_for()


@pytest.mark.parametrize("network", [SevenLayerNetwork, BinsNetwork])
def test_a_slider_decodes_again_and_asks_the_network_nothing(tmp_path, network, monkeypatch):
    objective = "l2" if network is SevenLayerNetwork else "rebalanced"
    attributes = {"framework": "tf_raw", "network": "seven_layer", "arguments": {}, "config": {}, "resolution": 32}
    if objective != "l2":
        attributes |= {"network": "bins", "objective": objective, "arguments": {"bins_at": 4}}
    save_weights(tmp_path / "w.h5", Weights(network(seed=1).to_arrays(), attributes))
    asked = []
    colorizer = load_colorizer(tmp_path / "w.h5")

    def counting(L):
        asked.append(len(L))
        return colorizer._forward(L)

    monkeypatch.setattr(serve, "_colorizer", lambda name: replace(colorizer, _forward=counting))
    photograph_file(tmp_path / "mine.png", 1)
    seen = serve.see(tmp_path / "mine.png", "w")
    before = len(asked)
    assert before > 0
    gray, coloured = serve.preview(seen, 1.0, 1.0)
    assert gray.shape == coloured.shape == (80, 96, 3)
    assert (serve.preview(seen, 0.1, 1.0)[1] != coloured).any()
    assert (serve.preview(seen, 1.0, 0.1)[1] != coloured).any() == (objective != "l2")
    assert len(asked) == before


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(served, tmp_path):
    port = served.rsplit(":", 1)[1].strip("/")
    process = subprocess.run(
        [sys.executable, "-m", "results.colorize", "serve", "--port", port],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].endswith("is taken: choose another with --port")
    assert "Traceback" not in process.stderr


def test_without_gradio_it_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['gradio'] = None; sys.argv = ['colorize', 'serve']\n"
        "from results.colorize import main; main()"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert process.returncode == 2
    assert "pip install -e '.[web]'" in process.stderr.splitlines()[-1]
