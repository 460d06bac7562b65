import json

from conftest import REPOSITORY

from results.scoring.tables import markdown_table, tables


def test_the_readmes_tables_are_those_of_the_evaluation_and_of_the_weights(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    readme = (REPOSITORY / "README.md").read_text()
    for begin, table in tables().items():
        assert f"{begin}\n{table}\n" in readme


def test_a_table_leaves_out_parts_of_the_photographs():
    row = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"][0]
    assert markdown_table([row, row | {"photographs": "everyday"}]) == markdown_table([row])


def test_every_shipped_network_is_scored_beside_its_baselines():
    rows = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"]
    shipped = {path.stem for path in (REPOSITORY / "results/weights").glob("*.h5")}
    assert shipped <= {row["model"] for row in rows}
    for row in rows:
        beside = {r["model"] for r in rows if (r["data"], r["resolution"]) == (row["data"], row["resolution"])}
        assert {"gray", "mean", "random"} <= beside
        assert row["split"] == "test"
