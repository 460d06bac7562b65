"""What a training command's flags make of its configuration."""

import json

import pytest

from preprocessing.files import UserError
from preprocessing.options import RunConfig, check_same_run, resolve, training_parser


def config_of(*words):
    return resolve(training_parser("").parse_args(words), RunConfig(32), "x", {}).config


def test_shares_are_by_source_whatever_the_order_of_data():
    shares = config_of("--data", "b/photos.zip", "tiny", "--shares", "1", "3").shares
    assert shares == {"photos": 0.25, "tiny": 0.75}
    assert config_of("--data", "tiny", "b/photos.zip", "--shares", "6", "2").shares == shares
    assert config_of("--data", "tiny", "b/photos.zip").shares == {}


def test_a_run_goes_on_only_with_its_own_shares():
    begun, other = (config_of("--data", "a", "b", "--shares", "1", share).to_dict() for share in "23")
    before = json.loads(json.dumps(begun))
    check_same_run("runs/x", before, begun)
    with pytest.raises(UserError, match="shares"):
        check_same_run("runs/x", before, other)


@pytest.mark.parametrize("words", [["--shares", "1"], ["--data", "a", "b", "--shares", "1"]])
def test_shares_are_one_for_each_source(words):
    with pytest.raises(UserError, match="--shares takes a number for each source"):
        config_of(*words)


def test_a_share_is_a_positive_number(capsys):
    with pytest.raises(SystemExit):
        config_of("--data", "a", "--shares", "0")
    assert "0 is not a positive number" in capsys.readouterr().err
