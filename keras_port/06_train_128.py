"""Step 6: train the seven-layer network at 128 px in Keras.

In:  the shards of step 2 for the same `--data`; without it, those of the embedded photographs, for a few steps.
     `--init l2_64` starts from the weights of step 4.
Out: runs/l2_128/ (state, log.csv, TensorBoard), then weights and a grid of test photographs under results/local/.
     On two cores about 13 images/s: 5 minutes an epoch of 4,096 images. Stopped, the same command goes on.
"""

from keras_port.config import UNETS, parse_options
from preprocessing.front_door import run


def main():
    options = parse_options(__doc__)

    from keras_port.network import build_network, to_arrays
    from keras_port.pretrained import encoder_arrays
    from keras_port.training import train
    from results.finish import finish
    from results.prediction.weights import load_init

    config = options.config
    initial, legs = None, []
    if options.init or (config.network in UNETS and config.pretrained):
        own = to_arrays(build_network(config.network, config.network_arguments(), config.seed))
        initial, legs = load_init(options.init, own, config.objective) if options.init else (own | encoder_arrays(), [])
    trained = train(config, options.source, options.run, initial)
    finish(options.name, trained, config, options.source, "keras", options.out, legs)


if __name__ == "__main__":
    run(main)
