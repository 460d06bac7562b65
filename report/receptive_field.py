"""How many pixels of L one pixel of ab depends on, from the networks' own tables of layers."""

from math import ceil

from preprocessing.options import dilation_rates

CONV, UP = "conv", "up"


def receptive_field(layers):
    """Side in px of the largest square of the input that one output pixel depends on.

    Parameters
    ----------
    layers : sequence of (operation, kernel, stride, dilation), from the input to the output; an `up`, deconvolution or
        bilinear, takes each pixel from the two nearest of the coarser grid
    """
    side = 1
    for operation, kernel, stride, dilation in reversed(layers):
        side = ceil((side - 1) / stride) + 2 if operation == UP else (side - 1) * stride + (kernel - 1) * dilation + 1
    return side


def seven_layers(layers, dilation, kernel=3, deconv_kernel=4):
    """The report's layers, as tf_raw/network.py:LAYERS lists them, and its output; `dilation` is one rate, or three."""
    rates = dict(zip(("conv4", "conv5", "conv6"), dilation_rates(dilation), strict=True))
    rows = [*layers, ("output", 2, 2, "deconv")]
    return [
        (CONV, kernel, stride, rates.get(name, 1)) if operation == "conv" else (UP, deconv_kernel, stride, 1)
        for name, _, stride, operation in rows
    ]


def unet(stages, skips, ab_stride):
    """The U-Net's longest way, as keras_port/unet_layout.py lists it: down all stages, and up."""
    down = [(CONV, 3, 2, 1)]
    for repeats, kernel, stride, _, _ in stages:
        down += [(CONV, kernel, stride, 1), *[(CONV, kernel, 1, 1)] * (repeats - 1)]
    up = [(UP, 2, 2, 1), (CONV, 3, 1, 1)] * len(skips)
    return [*down, *up, (CONV, 3, 1, 1), (UP, 2, ab_stride, 1)]
