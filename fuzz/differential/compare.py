"""Renders random templates with this engine and with python-liquid and prints what differs.

usage: compare.py RENDER_LINES [--cases N] [--seed N] [--show N]

RENDER_LINES is the program `cargo build -p corkboard-template --example render_lines` makes.
Differences that are explained in differences.md are counted by their reason; any other one fails.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter

from explained import reason
from generate import DATA, Generator, PARTIALS


def reference():
    from liquid import DictLoader, Environment, Mode

    # The other engine knows no bound on recursion that matters here, so its defaults will do.
    environment = Environment(loader=DictLoader(PARTIALS), tolerance=Mode.STRICT)

    def render(template):
        try:
            return environment.from_string(template).render(**DATA), None
        except Exception as error:  # whatever it is, it is an error to be compared
            return None, f"{type(error).__name__}: {error}"

    return render


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("render_lines")
    arguments.add_argument("--cases", type=int, default=20000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--show", type=int, default=20)
    options = arguments.parse_args()
    templates = [Generator(options.seed * 1_000_000 + i).template() for i in range(options.cases)]
    lines = "".join(json.dumps({"template": t, "data": DATA, "templates": PARTIALS}) + "\n" for t in templates)
    ours = subprocess.run([options.render_lines], input=lines, capture_output=True, text=True, check=True)
    ours = [json.loads(line) for line in ours.stdout.splitlines()]
    assert len(ours) == len(templates), "an answer for each template"
    render = reference()
    counts, shown = Counter(), 0
    for template, mine in zip(templates, ours):
        output, error = render(template)
        if mine.get("output") == output and (output is not None or "error" in mine):
            counts["same error" if output is None else "same output"] += 1
            continue
        why = reason(template, mine, output, error)
        counts[why or "UNEXPLAINED"] += 1
        if why is None and shown < options.show:
            shown += 1
            print(f"template: {template!r}\n   here: {mine}\n  there: {output!r} {error or ''}\n")
    for why, count in counts.most_common():
        print(f"{count:7} {why}")
    sys.exit(1 if counts["UNEXPLAINED"] else 0)


if __name__ == "__main__":
    main()
