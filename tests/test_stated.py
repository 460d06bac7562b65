"""Numbers in the README: each stands in a results file, under a key, or is named here with the reason why it need not."""

import re

import pytest
from conftest import REPOSITORY

from preprocessing.files import UserError
from results.scoring.stated import NUMBER, stated, without_stated
from results.scoring.tables import read_results

README = (REPOSITORY / "README.md").read_text()
# What a number is that no command measured.
EXCEPTIONS = {
    r"course project of 2017|Zhang et al\. 2016": "years",
    r"(32|64|128)(?= px|\]|, (64|128)| and (64|128) px)": "the networks' sizes",
    r"scripts 01, 02, 07 and 08|(?<=\s)03 and 04 from|06 from its|[Ss]teps? [26]|Steps 3 and 4": "scripts by their numbers",
    r"Python 3\.11 to 3\.13": "setup.py's python_requires",
    r"4 GB of disk": "the virtual environment's size, rounded up",
    r"JPEG 2000|H\.264|CC BY 2\.0|Apache-2\.0": "names of formats and licences",
    r"150 million pixels and 1 GB": "preprocessing/photograph.py: MOST_PIXELS, MOST_BYTES",
    r"35 million pixels": "results/colorize/film_reader.py: MOST_PIXELS",
    r"code (is )?1\.": "the exit code",
    r"keras #20585": "the number of an issue",
    r"95% bootstrap": "results/scoring/metrics.py: what the interval is",
    r"paper's, which is at 256 px": "Zhang et al. 2016",
    r"table 1": "the name of the original's table",
    r"500 x 375 px": "results/studies/bench_decode.py: SIZE",
    r"step of 04": "a script by its number",
    r"batch 10, dropout 0\.4, 3x3 kernels": "the original report's table 1",
    r"dropout 0\.1": "tf_raw/config.py: PRESETS",
    r"each of 262 colours": "preprocessing/ab_bins.py: bin_centres, checked below",
    r"itself, by 1\.8": "as the program below it says",
    r"float32, 0 to 100": "the range of CIE L*",
    r"divisible by 32 \(seven-layer networks:\nby 4; that of the original's notebook: exactly 128\)": "the networks' strides",
}


def numbers_of_no_file(text):
    """Numbers that neither a table, a results file nor an exception accounts for; code and links are set aside."""
    text = without_stated(text)
    for aside in (r"```.*?```", r"<!-- table of.*?<!-- end of table -->", r"<img.*?>", r"`[^`\n]*`", r"\]\([^)]*\)"):
        text = re.sub(aside, "]" if aside.startswith(r"\]") else "", text, flags=re.DOTALL)
    for exception in EXCEPTIONS:
        text = re.sub(exception, "", text)
    return re.findall(rf"[^\n]{{0,30}}{NUMBER}[^\n]{{0,20}}", text)


def test_each_number_of_the_readme_is_that_of_its_results_file(monkeypatch):
    """Where one is not: python results/scoring/tables.py."""
    monkeypatch.chdir(REPOSITORY)
    assert stated(README, read_results) == README


def test_no_number_of_the_readme_is_typed_by_hand():
    assert numbers_of_no_file(README) == []
    assert len(EXCEPTIONS) <= 30
    for exception in EXCEPTIONS:
        assert re.search(exception, README), f"no longer needed: {exception}"
    assert numbers_of_no_file(README + "\nIt takes 12 minutes.\n") == ["It takes 12 minutes."]


def test_the_number_of_colours_is_that_of_the_bins():
    from preprocessing.ab_bins import bin_centres

    assert f"each of {len(bin_centres())} colours" in README


def test_a_number_that_changed_is_written_anew_and_a_lost_sentence_is_named(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert stated(README.replace("41 trials", "1,234 trials"), read_results) == README
    with pytest.raises(UserError, match="minutes for {} trials"):
        stated(README.replace("41 trials", "some trials"), read_results)


def test_the_version_stands_in_one_place():
    assert re.findall(r'version="([\d.]+)"', (REPOSITORY / "setup.py").read_text()) == ["1.0.0"]
    citation = (REPOSITORY / "CITATION.cff").read_text()
    assert not re.search(r"^version:", citation, re.MULTILINE)
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert not re.search(r"^version", project, re.MULTILINE)
