"""The study of the U-Net's encoder: its trainings differ in what is compared, and in nothing else."""

from dataclasses import asdict

from keras_port.unet_layout import STAGES, stem_and_stages
from results.studies.encoder import FULL, WAYS, configuration


def test_the_ways_differ_in_the_encoder_alone():
    shipped, *others = (asdict(configuration(way, FULL)) for way in WAYS)
    differing = [{name for name in shipped if other[name] != shipped[name]} for other in others]
    assert differing == [{"frozen_stages"}, {"frozen_stages"}, {"pretrained", "frozen_stages", "encoder_rate"}]
    assert shipped["frozen_stages"] == 2 and shipped["pretrained"] and shipped["epochs"] == 1
    assert len(stem_and_stages(configuration("pretrained, all frozen", FULL).frozen_stages)) == 1 + len(STAGES)
