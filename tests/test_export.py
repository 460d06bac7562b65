"""A network as one file: ONNX and TensorFlow Lite give what `predict_ab` gives, and say what they take."""

import json
import re

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import REPOSITORY, photograph_file

from preprocessing.embedded import embedded_files
from preprocessing.files import UserError
from preprocessing.lab import bgr_to_lab
from results.colorize.export import main
from results.prediction.export import load, to_onnx, to_tflite
from results.prediction.weights import Weights, save_weights


@pytest.fixture(scope="module")
def lightness():
    """8-bit L of the embedded photographs, (8, 128, 128, 1)."""
    pictures = [cv2.imread(str(path)) for _, path in embedded_files()]
    small = [cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA) for picture in pictures]
    return np.stack([bgr_to_lab(picture)[0] for picture in small])


def stars(L):
    """L* of 8-bit L, as another program has it."""
    return L * np.float32(100 / 255)


@pytest.mark.parametrize("name", ["unet_128", "report_32", "rebalanced_64"])
def test_an_onnx_file_gives_our_ab_at_any_size(name, lightness):
    colorizer, arrays = load(name)
    data = to_onnx(colorizer, arrays)
    onnx.checker.check_model(data, full_check=True)
    session = onnxruntime.InferenceSession(data)
    for L in (lightness[:2], lightness[2:3, :96, :64]):
        (ab,) = session.run(["ab"], {"L": stars(L)})
        assert ab.dtype == np.float32
        assert np.abs(ab - colorizer.predict_ab(L)).max() < 0.05
    texts = session.get_modelmeta().custom_metadata_map
    assert texts["name"] == name
    assert texts["vibrance"].startswith(f"{colorizer.vibrance}, not applied")
    assert ("Apache" in texts["license"]) == name.startswith("unet")
    assert ("decoding" in texts) == colorizer.predicts_bins


@pytest.mark.parametrize(
    ("name", "bits", "most"), [("rebalanced_32", 32, 0.001), ("unet_128", 16, 0.1), ("unet_128", 8, 2.0)]
)
def test_a_tflite_file_gives_our_ab(name, bits, most, lightness):
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    pytest.importorskip("tensorflow.lite.tools.flatbuffer_utils")
    colorizer, arrays = load(name)
    data = to_tflite(colorizer, arrays, bits)
    assert len(data) < 1.1 * bits / 8 * colorizer.parameters + 400_000
    interpreter = litert.Interpreter(model_content=data)
    predict = interpreter.get_signature_runner()
    side = colorizer.resolution
    L = np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA)[..., None] for each in lightness])
    ab = np.concatenate([predict(L=each[None])["ab"] for each in stars(L)])
    assert np.abs(ab - colorizer.predict_ab(L)).mean() < most
    assert json.loads(_metadata(data))["input"].startswith(f"L: float32 (1, {side}, {side}, 1)")


def _metadata(data):
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    (entry,) = (each for each in model.metadata if each.name == b"colorize")
    return bytes(model.buffers[entry.buffer].data)


def test_the_readmes_lines_colour_a_photograph_without_us(tmp_path, monkeypatch, capsys):
    (lines,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
        if "onnxruntime" in block
    )
    assert len(lines.splitlines()) <= 12
    assert "results" not in lines
    monkeypatch.chdir(tmp_path)
    photograph_file(tmp_path / "photo.jpg", 1, 200, 300)
    main(["unet_128", "--to", "onnx"])
    assert "unet_128.onnx: 14.5 MB" in capsys.readouterr().out
    exec(lines, {})
    coloured = cv2.imread("coloured.png")
    assert coloured.shape == (200, 300, 3)
    assert np.ptp(coloured.astype(int), axis=-1).mean() > 2
    with pytest.raises(UserError, match="exists: name another"):
        main(["unet_128", "--to", "onnx"])


def test_what_cannot_be_exported_says_so(tmp_path):
    description = {"framework": "tf_raw", "network": "as_coded", "arguments": {}, "config": {}, "resolution": 64}
    save_weights(tmp_path / "w.h5", Weights({"x": np.zeros(1)}, description))
    with pytest.raises(UserError, match="kept for the errata"):
        main([str(tmp_path / "w.h5"), "--to", "onnx", "--out", str(tmp_path / "w.onnx")])
    with pytest.raises(UserError, match="--bits is for tflite"):
        main(["l2_32", "--to", "onnx", "--bits", "8"])
    assert not (tmp_path / "w.onnx").exists()
