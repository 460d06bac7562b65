"""The report: its references to code, what it prints of the results and what it lacks, and the page in Chromium."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image

from preprocessing.files import UserError
from report import build as report_build
from report.build import build, finish_page, literal, references_of
from report.measurements import COMMANDS, gather
from report.pictures import arranged
from report.references import resolve
from report.schematic import draw_schematic
from results.drawing.grid import CELL_PX, GAP_PX, MARGIN_PX, TITLE_PX, draw_grid

typst = pytest.importorskip("typst", reason="the extra `report` is not installed")
pytest.importorskip("pygments", reason="the extra `report` is not installed")


def test_a_reference_finds_functions_methods_and_constants_with_their_lines():
    found = resolve("tf_raw/layers.py:batch_norm", REPOSITORY)
    lines = (REPOSITORY / "tf_raw/layers.py").read_text().splitlines()
    assert lines[found.first - 1].startswith("def batch_norm(")
    assert found.code.splitlines() == lines[found.first - 1 : found.last]
    assert found.code.rstrip().endswith("return y")
    assert resolve("tf_raw/adam.py:Adam.apply", REPOSITORY).code.startswith("    def apply")
    assert resolve("preprocessing/lab.py:Units", REPOSITORY).code.startswith("@dataclass")


@pytest.mark.parametrize("text", ["tf_raw/layers.py:gone", "tf_raw/gone.py:batch_norm", "tf_raw/adam.py:Adam.gone"])
def test_a_reference_to_code_that_is_gone_is_an_error_that_names_it(text):
    with pytest.raises(UserError, match=text.replace(".", r"\.")):
        resolve(text, REPOSITORY)


def test_the_build_fails_when_the_text_refers_to_code_that_is_gone(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "report", tmp_path / "report")
    source = tmp_path / "report/report.typ"
    source.write_text(source.read_text().replace("tf_raw/layers.py:dropout", "tf_raw/layers.py:dropped"))
    monkeypatch.setattr(report_build, "FOLDER", tmp_path / "report")
    with pytest.raises(UserError, match="dropped"):
        build(out=tmp_path)


def test_every_claim_about_the_method_has_its_code():
    text = (REPOSITORY / "report/report.typ").read_text()
    names = references_of(text)
    assert len(names) > 50
    for room in ("preprocessing/", "tf_raw/", "keras_port/", "results/"):
        assert any(name.startswith(room) for name in names)


def test_the_schematic_is_drawn_from_the_networks_own_layers():
    from tf_raw.network import LAYERS

    layers = literal("tf_raw/network.py:LAYERS")
    assert layers == LAYERS
    assert draw_schematic(layers) == draw_schematic(layers)
    assert len(draw_schematic(layers[:3])) < len(draw_schematic(layers))


def test_the_published_table_is_that_of_the_code():
    from results.studies.table1 import REPORT

    assert literal("results/studies/table1.py:REPORT") == REPORT


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A report of which nothing has been measured: its folder and what it says it lacks."""
    folder = tmp_path_factory.mktemp("empty")
    return folder, build(results=folder / "results", out=folder)


def test_what_is_not_measured_says_so_with_its_command(empty):
    folder, missing = empty
    page = (folder / "report.html").read_text()
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    for command in COMMANDS.values():
        assert any(command in each for each in missing), command
        assert command in page
    assert "not measured yet" in page


def test_numbers_are_those_of_the_results(tmp_path, empty):
    """Another error in evaluation.json is what the report then prints, and a study that it lacked."""
    results = tmp_path / "results"
    shutil.copytree(REPOSITORY / "results/weights", results / "weights")
    evaluation = json.loads((REPOSITORY / "results/evaluation.json").read_text())
    row = next(
        row
        for row in evaluation["rows"]
        if (row["model"], row["resolution"]) == ("l2_64", 64) and row["data"].startswith("tiny")
    )
    row.update(mse=123.456, mse_ci=[111.11, 133.33])
    (results / "evaluation.json").write_text(json.dumps(evaluation))
    ways = {"from nothing": {"mse": 171.23, "mse_ci": [161, 181.5], "auc": 0.9}}
    (results / "encoder.json").write_text(json.dumps({"images_seen": 16384, "ways": ways}))
    missing = build(results=results, out=tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "123.5 (111.1 to 133.3)" in page
    assert "171.2 (161.0–181.5)" in page
    without = (empty[0] / "report.html").read_text()
    assert "123.5" not in without
    assert "What the encoder is worth" not in without
    assert len(missing) < len(empty[1])
    assert gather(results)["scores"]["l2_64@tiny@64"]["mse"] == 123.456


def test_code_is_shown_as_it_stands(empty):
    page = (empty[0] / "report.html").read_text()
    names = references_of((REPOSITORY / "report/report.typ").read_text())
    assert page.count('<details class="panel"') >= len(names)
    assert "moving_mean" in page
    assert "http" not in page.split("<body>")[0]  # no style, script or font from elsewhere
    assert "<script" not in page
    reference = resolve("tf_raw/layers.py:conv2d", REPOSITORY)
    panel = finish_page('<head></head><aside><div class="panel" data-reference="x"></div></aside>', {"x": reference})
    assert f"lines {reference.first} to {reference.last}" in panel


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the report of everything that has been measured."""
    folder = tmp_path_factory.mktemp("whole")
    assert build(out=folder) == []
    return folder


def test_the_report_is_small_enough_to_send(whole):
    assert (whole / "report.html").stat().st_size < 2_000_000
    assert (whole / "report.pdf").stat().st_size < 2_500_000
    page = (whole / "report.html").read_text()
    assert "data:image/webp" in page
    assert "data:image/png" not in page


def test_the_rows_of_a_tall_grid_are_set_side_by_side(tmp_path):
    rows = [np.full((1, 8, 8, 3), value, np.uint8) for value in (10, 20, 30)]
    draw_grid({"Gray": np.concatenate(rows)}, tmp_path / "grid.png")
    tall = Image.open(tmp_path / "grid.png").convert("RGB")
    assert arranged(tall, 1) is tall
    wide = np.asarray(arranged(tall, 2))
    assert wide.shape[1] == 2 * tall.width
    middle = MARGIN_PX + TITLE_PX + CELL_PX // 2
    seen = [wide[y, x, 0] for y in (middle, middle + CELL_PX + GAP_PX) for x in (tall.width // 2, 3 * tall.width // 2)]
    assert seen == [10, 30, 20, 255]
    assert np.asarray(arranged(tall, 1, rows=1)).shape[0] < tall.height - CELL_PX


def test_code_leads_to_the_text_that_speaks_of_it_and_figures_to_their_script(empty, whole):
    page = (whole / "report.html").read_text()
    panels = re.findall('<details class="panel"', page)
    links = re.findall(r'<span class="places">text: (.*?)</span>', page)
    assert len(links) == len(panels)
    for target in {target for each in links for target in re.findall('href="#([^"]+)"', each)}:
        assert f'id="{target}"' in page
    text = (REPOSITORY / "report/report.typ").read_text()
    for call in re.findall(r"^#picture\(.*$", text, re.MULTILINE):
        assert re.search(r'by: "[\w/]+\.py:\w+"', call), call


def test_the_committed_report_says_what_results_and_code_say_now(whole):
    """Where it does not: python report/09_build_report.py."""
    committed, now = ((folder / "report.html").read_text() for folder in (REPOSITORY / "report", whole))
    words = [re.sub("<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split() for page in (committed, now)]
    assert len(words[0]) > 5000
    assert words[0] == words[1]
    assert (REPOSITORY / "report/report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(empty, whole, browser, width):
    errors = []
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for folder in (empty[0], whole):
        page.goto((folder / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        panels = page.locator("details.panel")
        assert panels.count() == page.locator("details.panel .code").count() > 50
        text, code = (page.locator(f".beside {part}").first.bounding_box() for part in (".text", "aside"))
        beside = code["x"] >= text["x"] + text["width"]
        assert beside == (width > 1000)
    page.close()
    assert not errors


HIDDEN = """[...document.querySelectorAll('.beside')].flatMap(section => {
  const seen = box => Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
  const rect = selector => section.querySelector(selector).getBoundingClientRect();
  return ['start', 'center', 'end'].filter(block => {
    section.querySelector('.text').scrollIntoView({block});
    const code = rect('details[open]');
    return seen(code) + 1 < Math.min(code.height, rect('.text').height, 140) || rect('aside').right > innerWidth;
  }).map(block => section.querySelector('summary').textContent + ', ' + block);
})"""  # paragraphs, brought into view at its top, middle and bottom, whose code is not: fewer lines of it than of the paragraph, or than nine


def test_code_stands_in_view_when_its_paragraph_does(whole, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((whole / "report.html").as_uri())
    assert page.evaluate(HIDDEN) == []
    assert page.evaluate("[...document.querySelectorAll('.code')].every(code => code.scrollWidth <= code.clientWidth)")
    page.close()
