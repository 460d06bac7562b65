"""`make bench`, its part on `colorize`: one photograph of 12 megapixels, and a folder of 200."""

import os
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LARGE = (4000, 3000)  # 12 megapixels
FOLDER = 200  # photographs
TIMES = 5  # the large photograph is coloured, the fastest counts


def bench_colorize(path, names):
    """Print how long `colorize` takes next to the work it cannot do without, interpreter and imports left out.

    `path` is a zip, `names` are those of its photographs.
    """
    import cv2
    import numpy as np

    from preprocessing.photograph import read_photograph
    from results.colorize.command import colour_photographs, parse_arguments
    from results.colorize.jobs import list_jobs
    from results.prediction.predict import load_colorizer

    default, colorizer = load_colorizer("unet_128"), load_colorizer("l2_128")  # whose work is worth sharing out
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        folder = Path(folder)
        (folder / "many").mkdir()
        for name in names[:: max(1, len(names) // FOLDER)][:FOLDER]:
            (folder / "many" / name.replace("/", "_")).write_bytes(archive.read(name))
        image_bgr = cv2.imdecode(np.frombuffer(archive.read(names[0]), np.uint8), cv2.IMREAD_COLOR)
        cv2.imwrite(str(folder / "large.jpg"), cv2.resize(image_bgr, LARGE, interpolation=cv2.INTER_CUBIC))

        def ours(name, colorizer):
            arguments = parse_arguments([str(folder / name), "--out", str(folder / "out"), "--force"])
            jobs, _ = list_jobs(arguments.photographs, arguments.out, ["colorized"])
            started = time.perf_counter()
            colour_photographs(jobs, colorizer, arguments)
            return time.perf_counter() - started

        def bare(files):
            started = time.perf_counter()
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda file: _bare_colouring(file, folder), files))
            return time.perf_counter() - started

        large, many = folder / "large.jpg", sorted((folder / "many").iterdir())
        both = [(ours(large.name, default), bare([large])) for _ in range(TIMES)]
        one, one_bare = (min(seconds) for seconds in zip(*both, strict=True))
        print(f"colorize, 12 megapixels: {one:.2f} s, bare {one_bare:.2f} s: {one / one_bare:.2f} times as long")
        from results.colorize.full_size import views

        ours("many", colorizer)  # files are read once, as for the others
        seen = [views(read_photograph(file.read_bytes()).L[None], colorizer.resolution) for file in many]
        started = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda each: [colorizer.predict_ab(view) for view in each], seen))
        slower = max(time.perf_counter() - started, bare(many))
        share = slower / ours("many", colorizer)
        rate = len(many) / ours("many", default)
        print(
            f"colorize, {len(many)} photographs: {share:.2f} of the rate of the slower of network and bare work alone; "
            f"{rate:.1f} photographs/s with the default network"
        )
        return {
            "large_seconds": one,
            "large_bare_seconds": one_bare,
            "large_times": one / one_bare,
            "folder_photographs": len(many),
            "folder_share": share,
            "folder_per_second": rate,
        }


def _bare_colouring(file, folder):
    """Decode, Lab, resize to a network's size and back, and encode, with OpenCV alone."""
    import cv2
    import numpy as np

    lab = cv2.cvtColor(cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2LAB)
    small = cv2.resize(lab, (128, 128), interpolation=cv2.INTER_AREA)
    full = cv2.resize(small, lab.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    full[..., 0] = lab[..., 0]
    image_bgr = cv2.cvtColor(full, cv2.COLOR_LAB2BGR)
    encoded = cv2.imencode(".png", image_bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    (folder / "bare.png").with_stem(file.stem).write_bytes(encoded.tobytes())
