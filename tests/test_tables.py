import json

from conftest import REPOSITORY

from results.scoring.tables import MIX, MIXES, POOLED, readme_table, tables


def test_the_tables_are_those_of_the_evaluation_and_of_the_weights(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for (name, begin), table in tables().items():
        assert f"{begin}\n{table}\n" in (REPOSITORY / name).read_text()


def test_the_readmes_table_has_the_pooled_photographs_only():
    row = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"][0]
    rows = [
        row | {"data": data, "resolution": side, "model": model, "images": images} | part
        for side, data in MIXES.items()
        for model in ("gray", f"l2_{side}", f"tuned_{side}")
        for images, part in ((1, {}), (2, {"photographs": POOLED}), (3, {"photographs": "photos"}))
        if not (part.get("photographs") == POOLED and data == MIX)
    ]
    table = readme_table(rows).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in table] == ["32", "32", "64", "64", "128", "128"]
    assert not any("tuned" in line for line in table)


def test_every_shipped_network_is_scored_beside_its_baselines():
    rows = json.loads((REPOSITORY / "results/evaluation.json").read_text())["rows"]
    shipped = {path.stem for path in (REPOSITORY / "results/weights").glob("*.h5")}
    assert shipped <= {row["model"] for row in rows}
    for row in rows:
        beside = {r["model"] for r in rows if (r["data"], r["resolution"]) == (row["data"], row["resolution"])}
        assert {"gray", "mean", "random"} <= beside
        assert row["split"] == "test"
