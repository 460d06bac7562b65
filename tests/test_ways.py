import json

from conftest import run_script


def test_the_ways_to_show_a_photograph_are_measured(tmp_path):
    process = run_script("results/studies/ways.py", "--weights", "l2_32", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    table = json.loads((tmp_path / "results/local/ways.json").read_text())
    assert len(table["mse"]) == 24
    assert all(0 < mse < 5000 for mse in table["mse"].values())
