import json

from conftest import REPOSITORY

from results.tables import markdown_table


def test_the_readmes_table_is_that_of_the_evaluation():
    rows = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"]
    assert markdown_table(rows) in (REPOSITORY / "README.md").read_text()


def test_every_shipped_network_is_scored_beside_its_baselines():
    rows = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"]
    shipped = {path.stem for path in (REPOSITORY / "results/weights").glob("*.h5")}
    assert shipped <= {row["model"] for row in rows}
    for row in rows:
        beside = {r["model"] for r in rows if (r["data"], r["resolution"]) == (row["data"], row["resolution"])}
        assert {"gray", "mean", "random"} <= beside
        assert row["split"] == "test"
