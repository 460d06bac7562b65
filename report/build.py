"""report.typ, the results and the code -> report.pdf and report.html."""

import ast
import html
import itertools
import json
import re
from pathlib import Path

from preprocessing.ab_bins import bin_centres
from preprocessing.files import UserError, write_atomically
from report.measurements import gather
from report.references import resolve
from report.schematic import draw_schematic

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent
CALLS = re.compile(r"#(?:beside|erratum)\((.*?)\)\[", re.DOTALL)
REFERENCE = re.compile(r'"([\w/]+\.py:[\w.]+)"')
PANELS = re.compile(r"<aside>(.*?)</aside>", re.DOTALL)
PANEL = re.compile(r'<div class="panel" data-reference="([^"]+)"></div>')


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
        "published": literal("results/studies/table1.py:REPORT"),
        "schematic": draw_schematic(literal("tf_raw/network.py:LAYERS")),
    }
    how = {"root": str(REPOSITORY), "ignore_system_fonts": True, "sys_inputs": {"data": json.dumps(data)}}
    source = str(FOLDER / "report.typ")
    pdf = typst.compile(source, format="pdf", **how)
    page = finish_page(typst.compile(source, format="html", **how).decode(), references)
    missing = json.loads(typst.query(source, "<unmeasured>", field="value", **how))
    write_atomically(Path(out) / "report.pdf", pdf)
    write_atomically(Path(out) / "report.html", page.encode())
    return sorted(set(missing))


def references_of(text):
    """The code that a Typst source refers to, `path:name` each."""
    return list(dict.fromkeys(name for call in CALLS.findall(text) for name in REFERENCE.findall(call)))


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
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    numbers = itertools.count()

    def panel(name, group, opened):
        found = references[name]
        numbered = HtmlFormatter(cssclass="code", linenos="inline", linenostart=found.first, wrapcode=True)
        head = f"<summary><b>{html.escape(found.name)}</b> {found.path}, lines {found.first} to {found.last}</summary>"
        code = highlight(found.code, PythonLexer(), numbered)
        return f'<details class="panel" name="{group}"{" open" * opened}>{head}{code}</details>'

    def panels(match):
        """The code beside one paragraph: the first panel is open, and opening another closes it."""
        group = f"beside-{next(numbers)}"
        names = [html.unescape(name) for name in PANEL.findall(match[1])]
        return f"<aside>{''.join(panel(name, group, not place) for place, name in enumerate(names))}</aside>"

    light, dark = (HtmlFormatter(style=style).get_style_defs(".code") for style in ("friendly", "github-dark"))
    style = (FOLDER / "report.css").read_text() + light + f"\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    return PANELS.sub(panels, page).replace("</head>", f"<style>{style}</style></head>")
