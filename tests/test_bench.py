"""What `make bench` compares with is the same work."""

import numpy as np
import pytest

from results.studies import bench_decode, bench_step


def test_pytorchs_network_has_our_variables_and_costs_the_operations_that_we_count():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(1)  # more would spin, with so little for each

    from results.studies.bench_torch import build, step_of
    from tf_raw.network import SevenLayerNetwork

    network = build(dropout=0, dilation=bench_step.DILATION)
    ours = [variable.shape.num_elements() for variable in SevenLayerNetwork().trainable_variables]
    assert sorted(parameter.numel() for parameter in network.parameters()) == sorted(ours)
    step = step_of(network, "float32", 0.01, 0.999)
    L, ab = np.zeros((2, 16, 16, 1), np.uint8), np.full((2, 16, 16, 2), 140, np.uint8)
    with FlopCounterMode(display=False) as counter:
        losses = [step(L, ab) for _ in range(20)]
    assert counter.get_total_flops() == 20 * 2 * bench_step.operations(16)
    assert losses[-1] < losses[0]
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 2, 64, 64)


def test_an_operation_of_a_step_is_counted_to_its_part():
    assert bench_step._part("gradient_tape/part_dropout/mul_3/Mul", "Mul") == "dropout"
    assert bench_step._part("part_adam/ReadVariableOp_4", "ReadVariableOp") == "adam"
    assert bench_step._part("gradient_tape/Conv2DBackpropFilter", "_MklNativeConv2DBackpropFilter").endswith("kernels")
    assert bench_step._part("Relu_1", "Relu") == "relu"
    assert bench_step._part("Cast_9", "Cast") == "casts"


def test_scaled_decoding_changes_shards_of_large_photographs_a_little(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_decode, "CUTS", 2)
    monkeypatch.setattr(bench_decode, "COPIES", 1)
    jpegs = bench_decode.write_photographs(tmp_path / "photographs.zip")
    assert len(jpegs) >= 10
    table = bench_decode.differences(jpegs)
    assert all(0 < difference < 4 for difference in table.values())
