"""The U-Net's table, which its Keras layers (unet.py) and its ONNX graph (results/prediction/networks.py) are built from."""

STEM = 32  # channels
# Repeats, kernel, stride, expansion, channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
SKIPS = (5, 3, 2)  # stages whose outputs go across, at strides 16, 8 and 4
DECODER = (128, 128, 128, 96)  # channels at strides 32, 16, 8 and 4
SKIP_CHANNELS = (96, 64, 48)
STRIDE = 32  # what S must be divisible by
AB_STRIDE = 4  # at which colours are predicted


def stem_and_stages(count):
    """The beginnings of the names of the encoder's stem and first `count` stages; `count` 0 leaves the stem out."""
    return ["stem", *(f"stage{number}_" for number in range(1, count + 1))] if count else []
