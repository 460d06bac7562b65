"""From a network's name and arguments, as a configuration or a weights file has them, to the network."""

from tf_raw.as_coded import ConvNetAsCoded, DenseNetAsCoded
from tf_raw.config import SevenLayerArguments
from tf_raw.network import BinsNetwork, SevenLayerNetwork


def build_network(name, arguments, seed=0):
    """Create a network: `arguments` are the plain values of `TrainingConfig.network_arguments`."""
    if name == "seven_layer":
        return SevenLayerNetwork(SevenLayerArguments(**arguments), seed)
    if name == "bins":
        body = {key: value for key, value in arguments.items() if key != "bins_at"}
        return BinsNetwork(SevenLayerArguments(**body), arguments["bins_at"], seed)
    return {"as_coded": ConvNetAsCoded, "dense": DenseNetAsCoded}[name](seed)
