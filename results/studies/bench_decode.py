"""`make bench`, its part on photographs as they come: JPEGs of ImageNet's size, decoded whole and with `--fast-decode`."""

import tempfile
import zipfile
from pathlib import Path

SIZE = (500, 375)  # px, the commonest of ImageNet
QUALITY = 94  # which gives the photographs below 100 KB, as ImageNet's have
CUTS, COPIES = 60, 32  # places where each embedded photograph is cut, and how often each cut is written
IMAGENET = 1_281_167  # training photographs
SIDES = (32, 64, 128)  # px
SIDE = 64
TRAINED_SIDE, EPOCHS, IMAGES_PER_EPOCH = 32, 3, 20_000  # of the two equal trainings


def bench_decode(path):
    """Print and give rates of step 2 for large photographs, what scaled decoding changes, and two equal trainings' errors.

    `path` is a zip of photographs, on which is trained.
    """
    from results.studies.bench_shards import bench_build

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "photographs.zip"
        measured = differences(write_photographs(archive))
        for name, flags in (("whole", ()), ("fast", ("--fast-decode",))):
            measured |= {f"{name}_{key}": value for key, value in bench_build(archive, SIDE, *flags).items()}
    for name in ("whole", "fast"):
        hours = measured[f"{name}_imagenet_hours"] = IMAGENET / measured[f"{name}_ours_per_second"] / 3600
        print(f"{IMAGENET:,} photographs of {SIZE[0]} x {SIZE[1]}, {name}: {hours:.2f} hours")
    return measured | equal_trainings(path)


def write_photographs(archive):
    """Write a zip of photographs of SIZE, with parts train and val, and return the JPEGs that differ.

    They are cut out of the embedded photographs, which need no data; the last of these is val, for train holds no near-copy of it.
    """
    import cv2
    import numpy as np

    from preprocessing.embedded import embedded_files

    random, jpegs = np.random.default_rng(0), []
    pictures = [picture for _, path in embedded_files() if _is_large(picture := cv2.imread(str(path)))]
    with zipfile.ZipFile(archive, "w") as file:
        for number, picture in enumerate(pictures):
            part = "val" if picture is pictures[-1] else "train"
            for cut in range(CUTS):
                height, width = picture.shape[:2]
                x, y = random.integers(width - SIZE[0] + 1), random.integers(height - SIZE[1] + 1)
                square = picture[y : y + SIZE[1], x : x + SIZE[0]]
                jpegs.append(cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
                for copy in range(COPIES if part == "train" else 1):
                    file.writestr(f"photographs/{part}/{number}-{cut}-{copy}.jpg", jpegs[-1])
    return jpegs


def _is_large(picture):
    return picture.shape[1] >= SIZE[0] and picture.shape[0] >= SIZE[1]


def differences(jpegs):
    """Mean |L* difference| and |ab difference|, in CIE units, between whole and scaled decoding, for shards of each side."""
    import numpy as np

    from preprocessing.crops import centre_square
    from preprocessing.lab import bgr_to_lab
    from preprocessing.photograph import decode

    table = {}
    for side in SIDES:
        pairs = [
            [bgr_to_lab(centre_square(decode(data, short_side=short)[0], side)) for short in (0, side)]
            for data in jpegs[::10]
        ]
        for channel, name, unit in ((0, "L", 100 / 255), (1, "ab", 1)):
            apart = [np.abs(np.subtract(one[channel], other[channel], dtype=np.float32)).mean() for one, other in pairs]
            table[f"{name}_difference_{side}"] = float(np.mean(apart)) * unit
        print(
            f"scaled decoding at {side} px: L* differs by {table[f'L_difference_{side}']:.2f}, "
            f"ab by {table[f'ab_difference_{side}']:.2f}"
        )
    return table


def equal_trainings(path):
    """Print and give the MSE on test, decoded whole, after equal short trainings at 32 px on train decoded either way."""
    from dataclasses import replace

    import numpy as np

    from preprocessing.batches import in_order
    from preprocessing.build import build_shards
    from preprocessing.lab import cie_ab
    from preprocessing.shards import read_split
    from preprocessing.sources import open_source
    from results.scoring.metrics import bootstrap_interval, squared_error
    from tf_raw.build import build_network
    from tf_raw.config import TrainingConfig
    from tf_raw.training import to_units, train

    source, errors = open_source([path]), {}
    config = TrainingConfig(TRAINED_SIDE, epochs=EPOCHS, images_per_epoch=IMAGES_PER_EPOCH, dropout=0.1)
    for name in ("whole", "fast"):
        with tempfile.TemporaryDirectory() as folder:
            build_shards(source, [TRAINED_SIDE], root=folder, fast_decode=name == "fast")
            trained = train(config, source.name, Path(folder) / "run", root=folder)
            test = read_split(source.name, TRAINED_SIDE, "test", folder)
        config = replace(config, compute=trained.summary["compute"])
        network = build_network(config.network, config.network_arguments())
        network.assign(trained.arrays)
        errors[name] = np.concatenate(
            [
                squared_error(cie_ab(ab), network.units.cie_ab(network(to_units(network, L)).numpy()))
                for L, ab in in_order(test.L, test.ab, 100)
            ]
        )
    (whole, fast), (low, high) = (each.mean() for each in errors.values()), bootstrap_interval(errors["whole"], test.id)
    apart = bootstrap_interval(errors["fast"] - errors["whole"], test.id)
    print(
        f"MSE at {TRAINED_SIDE} px on test after equal trainings: whole {whole:.1f} ({low:.1f} to {high:.1f}), "
        f"scaled {fast:.1f}; difference {fast - whole:.2f} ({apart[0]:.2f} to {apart[1]:.2f})"
    )
    return {
        "whole_mse": whole,
        "whole_mse_low": low,
        "whole_mse_high": high,
        "fast_mse": fast,
        "mse_difference_low": apart[0],
        "mse_difference_high": apart[1],
    }
