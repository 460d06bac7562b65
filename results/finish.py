"""What ends every training script: the weights file, the learning curve, and a grid of test photographs."""

from pathlib import Path

from preprocessing.lab import cie_ab
from preprocessing.shards import read_manifest, read_split
from results.drawing.curve import write_curve
from results.drawing.grid import draw_grid, triples
from results.prediction.predict import colorizer_from
from results.prediction.weights import LOCAL, SHIPPED, Weights, describe, load_weights, save_weights
from results.scoring.choose import choose_on_val

GRID_PHOTOGRAPHS = 8


def finish(name, trained, config, source, framework, out=None, legs=(), root="shards"):
    """Save a trained network's weights, its learning curve and a grid of test photographs; print where they are.

    Parameters
    ----------
    trained : preprocessing.options.TrainedNetwork
    config : the resolved configuration; its `network` and `resolution` name the network
    out : path of the weights file, by default under results/local/, never over shipped weights
    legs : what came before the training, as results.prediction.weights.load_init gives it
    """
    path = Path(out) if out else LOCAL / f"{name}.h5"
    manifest = read_manifest(source, root)
    attributes = describe(framework, trained.arguments, config, manifest, trained.summary)
    attributes |= {"began_from": list(legs)}
    save_weights(path, Weights(trained.arrays, attributes))  # before a choice that takes minutes
    weights = load_weights(path)  # what is chosen and shown is what was stored, in half precision too
    colorizer = colorizer_from(weights, path)
    attributes |= choose_on_val(colorizer, read_split(source, config.resolution, "val", root))
    save_weights(path, Weights(weights.arrays, attributes))
    loss = trained.summary["loss"]
    print(f"weights: {path} (validation {loss} {trained.summary[f'val_{loss}']:.4g})")
    shipped = path.parent.resolve() == SHIPPED.resolve()
    curve = (SHIPPED if shipped else LOCAL).parent / "curves" / path.stem
    write_curve(trained.history, loss, curve)
    print(f"learning curve: {curve}.png")
    test = read_split(source, config.resolution, "test", root)
    if len(test.L):
        L, ab = test.L[:GRID_PHOTOGRAPHS], test.ab[:GRID_PHOTOGRAPHS]
        grid_path = Path("results/local") / f"{path.stem}-test.png"
        draw_grid(triples(L, cie_ab(ab), colorizer.predict_ab(L)), grid_path)
        print(f"test photographs: {grid_path}")
