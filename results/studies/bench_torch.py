"""The step of 04_train_64.py in PyTorch, for `make bench` to compare with: the network, its dropout, AdamW and the average."""

import numpy as np
import torch
from torch import nn

from tf_raw.layers import BN_EPSILON, BN_MOMENTUM
from tf_raw.network import LAYERS


def build(dropout, dilation):
    """The seven layers and the output, kernels 3 and 4, in channels_last; strided layers pad on both sides, not as TensorFlow."""
    modules, channels = [], 1
    for name, filters, stride, operation in LAYERS:
        if operation == "conv":
            rate = dilation if name in ("conv4", "conv5", "conv6") else 1
            modules.append(nn.Conv2d(channels, filters, 3, stride, padding=rate, dilation=rate, bias=False))
        else:
            modules.append(nn.ConvTranspose2d(channels, filters, 4, stride, padding=1, bias=False))
        batch_norm = nn.BatchNorm2d(filters, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM)
        modules += [nn.ReLU(inplace=True), batch_norm, nn.Dropout(dropout)]
        channels = filters
    modules.append(nn.ConvTranspose2d(channels, 2, 4, 2, padding=1))
    return nn.Sequential(*modules).to(memory_format=torch.channels_last)


def step_of(network, compute, weight_decay, average_decay):
    """A training step: a function of 8-bit L (N, S, S, 1) and ab (N, S, S, 2), arrays, that gives the loss (float)."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=weight_decay, fused=True)
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    average = [value.clone() for value in values]

    def step(L, ab):
        x, truth = (torch.from_numpy(np.moveaxis(array, -1, 1)).float() for array in (L, ab))
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=compute == "bfloat16"):
            output = network(x / 127.5 - 1)
        loss = nn.functional.mse_loss(torch.tanh(output.float()), truth / 128 - 1)
        loss.backward()
        optimizer.step()
        torch._foreach_lerp_(average, values, 1 - average_decay)
        return loss.item()

    return step
