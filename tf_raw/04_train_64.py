"""Step 4: train the seven-layer network at 64 px in low-level TensorFlow.

In:  the shards of step 2 for the same `--data`; without it, those of the embedded photographs, for a few steps.
Out: runs/l2_64/ (checkpoints, log.csv, TensorBoard), then weights and a grid of test photographs under results/local/.
     On Tiny ImageNet an epoch takes about 18 minutes on two cores. Stopped, the same command goes on.
     `--init l2_32` starts from the weights of step 3.
"""

from preprocessing.front_door import run
from tf_raw.config import parse_options


def main():
    options = parse_options(__doc__, resolution=64)

    from results.finish import finish
    from results.prediction.weights import load_init
    from tf_raw.build import build_network
    from tf_raw.training import train
    from tf_raw.workers import join

    config = options.config
    workers = join(config.batch_size)
    initial, legs = None, []
    if options.init:
        network = build_network(config.network, config.network_arguments(), config.seed)
        initial, legs = load_init(options.init, network.to_arrays(), config.objective)
    trained = train(config, options.source, options.run, initial, workers=workers)
    if workers.chief:
        finish(options.name, trained, config, options.source, "tf_raw", options.out, legs)


if __name__ == "__main__":
    run(main)
