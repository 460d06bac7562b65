import h5py
import numpy as np
import pytest

from preprocessing.files import UserError
from results.predict import load_colorizer
from results.prediction.weights import SHIPPED, Weights, check_fit, load_init, load_weights, save_weights, shipped_names
from tf_raw.config import SevenLayerArguments
from tf_raw.network import SevenLayerNetwork

ATTRIBUTES = {"framework": "tf_raw", "network": "seven_layer", "arguments": {}, "config": {}, "resolution": 32}


def save(path, network, **changes):
    save_weights(path, Weights(network.to_arrays(), ATTRIBUTES | changes))
    return path


def test_round_trip_keeps_names_order_values_and_attributes(tmp_path):
    network = SevenLayerNetwork(seed=4)
    back = load_weights(save(tmp_path / "w.h5", network))
    assert list(back.arrays) == list(network.to_arrays())
    assert all((back.arrays[name] == array).all() for name, array in network.to_arrays().items())
    assert back.attributes == ATTRIBUTES


@pytest.mark.parametrize("framework", ["tf_raw", "keras"])
def test_a_colorizer_predicts_what_its_network_does(tmp_path, framework):
    network = SevenLayerNetwork(seed=4)
    colorizer = load_colorizer(save(tmp_path / "w.h5", network, framework=framework))
    L = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 1), np.uint8)
    ab = colorizer.predict_ab(L)
    assert (ab.shape, ab.dtype) == ((70, 32, 32, 2), np.float32)
    expected = network(L.astype(np.float32) / 127.5 - 1).numpy() * 128
    np.testing.assert_allclose(ab, expected, atol=1e-3)
    assert colorizer.parameters == 2_227_138


def test_a_prediction_may_be_the_mean_over_the_picture_and_its_mirror_image(tmp_path):
    network = SevenLayerNetwork(seed=4)
    colorizer = load_colorizer(save(tmp_path / "w.h5", network, config={"mirror_average": True}))
    L = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), np.uint8)
    own, mirrored = (network(side.astype(np.float32) / 127.5 - 1).numpy() * 128 for side in (L, L[:, :, ::-1]))
    np.testing.assert_allclose(colorizer.predict_ab(L), (own + mirrored[:, :, ::-1]) / 2, atol=1e-3)


def test_weights_of_another_network_are_refused_and_the_difference_is_named(tmp_path):
    report = SevenLayerNetwork(SevenLayerArguments(deconv_kernel=3))
    with pytest.raises(UserError, match=r"conv7/kernel is float32 \(3, 3, 128, 256\), not float32 \(4, 4, 128, 256\)"):
        load_colorizer(save(tmp_path / "w.h5", report))
    arrays = SevenLayerNetwork().to_arrays()
    with pytest.raises(UserError, match="extra is unknown"):
        check_fit({**arrays, "extra": np.zeros(1)}, arrays, "w.h5")
    with pytest.raises(UserError, match="conv1/beta is missing"):
        check_fit({name: array for name, array in arrays.items() if name != "conv1/beta"}, arrays, "w.h5")
    with pytest.raises(UserError, match="float64"):
        check_fit({**arrays, "conv1/beta": np.zeros(64)}, arrays, "w.h5")


def test_every_training_that_led_to_weights_stays_with_them(tmp_path):
    network = SevenLayerNetwork(seed=4)
    arrays, legs = load_init(save(tmp_path / "first.h5", network, command="03", seconds=60), network.to_arrays())
    assert (arrays["conv1/kernel"] == network.to_arrays()["conv1/kernel"]).all()
    assert legs == [{"command": "03", "resolution": 32, "seconds": 60}]
    second = save(tmp_path / "second.h5", network, command="04", seconds=90, began_from=legs)
    _, legs = load_init(second, network.to_arrays())
    assert [(leg["command"], leg["seconds"]) for leg in legs] == [("03", 60), ("04", 90)]


def test_damaged_foreign_and_missing_files_are_one_clear_error(tmp_path):
    path = save(tmp_path / "w.h5", SevenLayerNetwork())
    path.write_bytes(path.read_bytes()[:20_000])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1]
    (tmp_path / "text.h5").write_text("text")
    for name in ("w.h5", "foreign.h5", "text.h5", "missing.h5"):
        with pytest.raises(UserError, match=name):
            load_colorizer(tmp_path / name)
    for lacking, said in (("config", "does not say its config"), ("network", "does not say its network")):
        attributes = {name: value for name, value in ATTRIBUTES.items() if name != lacking}
        save_weights(path, Weights({"x": np.zeros(1, np.float32)}, attributes))
        with pytest.raises(UserError, match=f"w.h5 .*{said}"):
            load_colorizer(path)
    save_weights(path, Weights({"x": np.zeros(1, np.float32)}, ATTRIBUTES | {"network": "of_next_year"}))
    with pytest.raises(UserError, match="w.h5 holds of_next_year, a network that this version does not know"):
        load_colorizer(path)
    save_weights(path, Weights({"x": np.zeros(1, np.float32)}, ATTRIBUTES | {"arguments": {"attention": 8}}))
    with pytest.raises(UserError, match="w.h5 holds a seven_layer that this version does not know .*attention"):
        load_colorizer(path)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_weights_are_small_say_where_they_are_from_and_colour(name):
    assert (SHIPPED / f"{name}.h5").stat().st_size < 10_000_000
    colorizer = load_colorizer(name)
    assert {"data", "fingerprint", "config", "command", "host", "seconds", "images_seen", "epochs"} <= set(
        colorizer.attributes
    )
    assert f"val_{colorizer.attributes.get('loss', 'mse')}" in colorizer.attributes
    side = colorizer.resolution
    assert name.endswith(f"_{side}")
    ab = colorizer.predict_ab(np.random.default_rng(0).integers(0, 256, (1, side, side, 1), np.uint8))
    assert 0.5 < np.abs(ab).mean() < 60


def test_shipped_names_are_there():
    assert {"l2_32", "l2_64", "l2_128"} <= set(shipped_names())
