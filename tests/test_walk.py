"""The newcomer's walk: its steps are the README's commands, it counts seconds, and names the step that fails."""

import re

import pytest
from conftest import REPOSITORY

from preprocessing.files import UserError
from results.scoring.tables import walk_table
from results.studies.walk import STEPS, walk


def test_the_walk_takes_the_readmes_own_commands():
    readme = (REPOSITORY / "README.md").read_text()
    for _, command in STEPS:
        for line in re.findall(r"python (?:preprocessing|tf_raw|keras_port|results)/\S+ .*", command):
            assert line.replace("$DATA", "$D") in readme
    assert all(f"make {target}" in readme for target in ("results", "test"))


def test_seconds_are_counted_and_a_failure_is_named(tmp_path, capsys):
    seconds = walk([("one", "echo $FILM > film"), ("two", "test -s film")], tmp_path, FILM="cat.mp4")
    assert (tmp_path / "film").read_text() == "cat.mp4\n"
    assert list(seconds) == ["one", "two"]
    assert all(0 <= each < 60 for each in seconds.values())
    with pytest.raises(UserError, match="three"):
        walk([("three", "echo why; false"), ("four", "touch four")], tmp_path)
    assert not (tmp_path / "four").exists()


def test_the_table_has_a_column_for_each_set_of_instructions():
    table = walk_table({"seconds": {"as it is": {"a": 61.2, "b": 1234.0}, "AVX2": {"a": 0.48}}}).splitlines()
    assert table == [
        "| step | seconds | with oneDNN held to AVX2 |",
        "|---|---|---|",
        "| a | 61 | 0.5 |",
        "| b | 1,234 |  |",
    ]
