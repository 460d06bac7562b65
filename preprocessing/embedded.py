"""The openly licensed photographs that come with scikit-image, matplotlib and scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

# Package, path in it, licence and author as the package's own documentation gives them. The stereo pair
# motorcycle_left/right, two views of one photograph, is left out: its licence is not stated.
PHOTOGRAPHS = [
    ("skimage", "data/astronaut.png", "public domain, NASA"),
    ("skimage", "data/chelsea.png", "CC0, Stefan van der Walt"),
    ("skimage", "data/coffee.png", "CC0, Rachel Michetti"),
    ("skimage", "data/hubble_deep_field.jpg", "public domain, NASA"),
    ("skimage", "data/ihc.png", "no known copyright restrictions, CMMI, Université Libre de Bruxelles"),
    ("skimage", "data/retina.jpg", "CC0, Mikael Häggström"),
    ("skimage", "data/rocket.jpg", "public domain, SpaceX"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "public domain, US Navy"),
    ("sklearn", "datasets/images/china.jpg", "CC BY 2.0, danielbuechele"),
    ("sklearn", "datasets/images/flower.jpg", "CC BY 2.0, vultilion"),
]


def embedded_files():
    """`(id, path)` of every embedded photograph that is installed; an id is like `skimage/coffee.png`."""
    files = []
    for package, inside, _licence in PHOTOGRAPHS:
        spec = find_spec(package)  # scikit-learn is in the extra `photographs`
        path = Path(spec.origin if spec and spec.origin else "").parent / inside
        if path.exists():
            files.append((f"{package}/{path.name}", path))
    return files
