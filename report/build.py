"""report.typ, the results and the code -> report.pdf and report.html."""

import ast
import html
import itertools
import json
import re
import shutil
import tempfile
from pathlib import Path

from preprocessing.ab_bins import bin_centres
from preprocessing.files import UserError, write_atomically
from report.measurements import gather
from report.pictures import picture
from report.receptive_field import receptive_field, seven_layers, unet
from report.references import resolve
from report.schematic import draw_schematic

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent
REFERENCE = re.compile(r'"([\w/]+\.py:[\w.]+)"')
ASIDE = re.compile(r"<aside>.*?</aside>", re.DOTALL)
PLAIN = re.compile(r'<span class="[npw]">([^<]*)</span>')  # names, punctuation, space: most of a page, and not coloured
CONSTANTS = {  # of the code, that the text names
    "val_share": "preprocessing/splits.py:VAL_SHARE",
    "presets": "tf_raw/config.py:PRESETS",
    "jpeg_quality": "results/studies/jpeg.py:QUALITY",
    "gray_files": "results/scoring/evaluate.py:GRAY_FILES",
    "colourfulness_wanted": "results/scoring/choose.py:WANTED",
    "near_best": "results/scoring/choose.py:NEAR_BEST",
    "large_photograph": "results/studies/bench_decode.py:SIZE",
}
PANEL = re.compile(r'<div class="panel" data-reference="([^"]+)">(.*?)</div>', re.DOTALL)


def build(results=REPOSITORY / "results", out=FOLDER):
    """Write report.pdf and report.html to `out`; the commands that would measure what they lack.

    Raises
    ------
    UserError
        The text refers to code that is not there, or Typst is not installed.
    """
    try:
        import typst
    except ImportError:
        raise UserError("the report is set with Typst: pip install -e '.[report]'") from None
    text = (FOLDER / "report.typ").read_text()
    references = {name: resolve(name, REPOSITORY) for name in references_of(text)}
    data = {
        **gather(results),
        "references": {
            name: {"path": r.path, "name": r.name, "first": r.first, "last": r.last} for name, r in references.items()
        },
        "bins": len(bin_centres()),
        "constants": {name: literal(reference) for name, reference in CONSTANTS.items()},
        "published": literal("results/studies/table1.py:REPORT"),
        "fields": receptive_fields(),
        "schematic": draw_schematic(literal("tf_raw/network.py:LAYERS")),
    }
    how = {"ignore_system_fonts": True, "sys_inputs": {"data": json.dumps(data)}}
    shown = [name for name in data["pictures"] if f'"{name}"' in text]
    with tempfile.TemporaryDirectory() as root:
        for path in (*FOLDER.glob("*.typ"), *FOLDER.glob("*.yml")):
            shutil.copy(path, root)
        source = str(Path(root) / "report.typ")
        place_pictures(Path(results), shown, Path(root), "JPEG")
        pdf = typst.compile(source, format="pdf", root=root, **how)
        place_pictures(Path(results), shown, Path(root), "WEBP")
        page = typst.compile(source, format="html", root=root, **how).decode()
        missing = json.loads(typst.query(source, "<unmeasured>", field="value", root=root, **how))
    write_atomically(Path(out) / "report.pdf", pdf)
    write_atomically(Path(out) / "report.html", finish_page(page, references).encode())
    return sorted(set(missing))


def receptive_fields():
    """Sides in px, by dilation of the seven layers and of the U-Net."""
    layers = literal("tf_raw/network.py:LAYERS")
    stages, skips, stride = (literal(f"keras_port/unet_layout.py:{name}") for name in ("STAGES", "SKIPS", "AB_STRIDE"))
    fields = {str(dilation): receptive_field(seven_layers(layers, dilation)) for dilation in (1, 2, (5, 3, 1))}
    return fields | {"unet": receptive_field(unet(stages, skips, stride))}


def place_pictures(results, names, root, kind):
    """Write those figures of the results that the text shows to `root`, without a suffix: their bytes tell their format."""
    for name in names:
        write_atomically(root / "pictures" / Path(name).with_suffix(""), picture(results / name, kind))


def references_of(text):
    """The code that a Typst source refers to, `path:name` each."""
    return list(dict.fromkeys(REFERENCE.findall(text)))


def literal(reference):
    """The value of a constant that is written as a literal, or of names of such constants beside it.

    The report reads the code and imports none that needs TensorFlow.
    """
    value = ast.parse(resolve(reference, REPOSITORY).code).body[0].value
    path = reference.partition(":")[0]

    class Names(ast.NodeTransformer):
        def visit_Name(self, node):  # noqa: N802 - ast's name
            return ast.Constant(literal(f"{path}:{node.id}"))

    return ast.literal_eval(Names().visit(value))


def finish_page(page, references):
    """Put code, highlighted, into the panels of Typst's page, and the style sheet into its head."""
    from pygments.formatters import HtmlFormatter

    numbers = itertools.count()

    def beside(match):
        """The code beside one paragraph: the first panel is open, and opening another closes it."""
        group, opened = f' name="beside-{next(numbers)}"', itertools.chain([" open"], itertools.repeat(""))
        return PANEL.sub(lambda found: _panel(references, found, group + next(opened)), match[0])

    page = PANEL.sub(lambda found: _panel(references, found), ASIDE.sub(beside, page))
    light, dark = (HtmlFormatter(style=style).get_style_defs(".code") for style in ("friendly", "github-dark"))
    style = (FOLDER / "report.css").read_text() + light + f"\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    return page.replace("</head>", f"<style>{style}</style></head>")


def _panel(references, found, attributes=""):
    """One piece of code that unfolds, its lines numbered by the style sheet, and links to where the text speaks of it."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code = references[html.unescape(found[1])]
    highlighted = highlight(code.code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    lines = PLAIN.sub(r"\1", highlighted).rstrip("\n").split("\n")
    return (
        f'<details class="panel"{attributes}>'
        f"<summary><b>{html.escape(code.name)}</b> {code.path}, lines {code.first} to {code.last}"
        f'<span class="places">text: {found[2]}</span></summary>'
        f'<pre class="code" style="counter-reset: line {code.first - 1}">'
        + "".join(f"<span>{line}\n</span>" for line in lines)
        + "</pre></details>"
    )
