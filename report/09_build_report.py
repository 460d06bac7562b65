"""Step 9: build the report.

In:  results/*.json, results/figures/, results/curves/, results/weights/, and the code itself.
Out: report/report.pdf, and report/report.html with the code beside the paragraph that speaks of it. Seconds.
"""

import argparse

from preprocessing.front_door import run


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()

    from report.build import build

    missing = build()
    print("report: report/report.pdf, report/report.html")
    for command in missing:
        print(f"not measured yet: {command}")


if __name__ == "__main__":
    run(main)
