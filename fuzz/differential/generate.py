"""Random templates that use every tag and filter, with the data they read."""

import random

DATA = {
    "n": 5, "z": 0, "neg": -7, "f": 2.5, "g": -0.125, "big": 12345678901234567890,
    "s": "Hello, World", "e": "", "w": "  two  words ", "u": "hé🎉 Straße", "num": "12", "dec": "3.75",
    "h": "<b>it's</b> & <i>\"q\"</i>", "nl": "a\nb\r\nc", "t": True, "no": False, "nothing": None,
    "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "mix": [1, None, "x"], "el": [], "nest": [[1, 2], [3]],
    "o": {"a": 1, "b": "two"}, "eo": {},
    "items": [
        {"k": "x", "v": 3, "on": True}, {"k": "y", "v": 1, "on": False},
        {"k": "x", "v": 2.5, "on": None}, {"k": "z"},
    ],
    "d": "2024-03-05T10:20:30Z", "ts": 1700000000,
}
NAMES = list(DATA) + ["nosuch", "o.a", "o.b", "items[0].k", "l[1]", "l[-1]", "ls.first", "l.last", "s.size",
                      "items.size", "o.nosuch.x", "ls[n]", "x", "y"]
LITERALS = ["'a'", "'l'", "''", "' '", "','", "'abc def'", "0", "1", "2", "-1", "3", "10", "1.5", "-2.75", "0.0",
            "true", "false", "nil", "empty", "blank", "(1..3)", "(n..2)", "(1..n)"]
# A filter and what its arguments may be.
TEXT = ["s", "e", "w", "u", "h", "'a'", "'l'", "''", "' '", "n", "f", "nothing", "'lo'"]
NUMBER = ["0", "1", "2", "3", "-1", "-2", "1.5", "n", "f", "neg", "num", "dec", "10", "0.5"]
INTEGER = ["0", "1", "2", "3", "-1", "-2", "5", "n", "20", "num"]
PROPERTY = ["'k'", "'v'", "'on'", "'nosuch'"]
VALUE = ["'x'", "3", "true", "false", "nil", "1", "2.5"]
FILTERS = {
    "abs": [], "append": [TEXT], "at_least": [NUMBER], "at_most": [NUMBER], "base64_encode": [], "capitalize": [],
    "ceil": [], "compact": [], "concat": [["l", "ls", "el", "mix"]], "default": [VALUE], "divided_by": [NUMBER],
    "downcase": [], "escape": [], "escape_once": [], "first": [], "floor": [], "join": [TEXT], "last": [],
    "lstrip": [], "map": [PROPERTY], "minus": [NUMBER], "modulo": [NUMBER], "newline_to_br": [], "plus": [NUMBER],
    "prepend": [TEXT], "reject": [PROPERTY, VALUE], "remove": [TEXT], "remove_first": [TEXT], "remove_last": [TEXT],
    "replace": [TEXT, TEXT], "replace_first": [TEXT, TEXT], "replace_last": [TEXT, TEXT], "reverse": [],
    "round": [INTEGER], "rstrip": [], "size": [], "slice": [INTEGER, INTEGER], "sort": [], "sort_natural": [],
    "split": [TEXT], "strip": [], "strip_html": [], "strip_newlines": [], "sum": [], "times": [NUMBER],
    "truncate": [INTEGER, TEXT], "truncatewords": [INTEGER], "uniq": [], "upcase": [], "url_decode": [],
    "url_encode": [], "where": [PROPERTY, VALUE], "find": [PROPERTY, VALUE], "find_index": [PROPERTY, VALUE],
    "has": [PROPERTY, VALUE], "date": [["'%Y-%m-%d %H:%M'", "'%-d %b'", "''", "'%A %j %s'"]],
}
PARTIALS = {"p": "<{{ p }}{{ a }}{% assign y = 'in' %}{{ forloop.index }}>", "q": "{{ n }}{% increment c %}{% break %}z"}


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, choices):
        return self.r.choice(choices)

    def value(self):
        return self.pick(NAMES) if self.r.random() < 0.6 else self.pick(LITERALS)

    def filtered(self):
        text = self.value()
        while self.r.random() < 0.45:
            name = self.pick(list(FILTERS))
            arguments = [self.pick(kind) for kind in FILTERS[name]]
            text += f" | {name}" + (": " + ", ".join(arguments) if arguments else "")
        return text

    def condition(self):
        text = self.value()
        if self.r.random() < 0.7:
            text += f" {self.pick(['==', '!=', '<', '>', '<=', '>=', 'contains'])} {self.value()}"
        if self.r.random() < 0.25:
            text += f" {self.pick(['and', 'or'])} {self.condition()}"
        return text

    def body(self, depth):
        return "".join(self.node(depth + 1) for _ in range(self.r.randint(0, 2)))

    def tag(self, inner):
        return self.pick(["{% ", "{% ", "{%- "]) + inner + self.pick([" %}", " %}", " -%}"])

    def node(self, depth=0):
        simple = ["text", "output", "output", "output", "assign", "echo", "cycle", "counter", "space"]
        blocks = ["if", "unless", "case", "for", "for", "capture", "comment", "raw", "tablerow", "ifchanged", "partial"]
        kind = self.pick(simple if depth > 2 else simple + blocks)
        r = self.r
        if kind == "text":
            return self.pick(["a", "b ", "-", "x\n", "{ }", "."])
        if kind == "space":
            return self.pick([" ", "\n", "\t ", "  \n"])
        if kind == "output":
            return self.pick(["{{ ", "{{-"]) + self.filtered() + self.pick([" }}", " -}}"])
        if kind == "assign":
            return self.tag(f"assign {self.pick(['x', 'y'])} = {self.filtered()}")
        if kind == "echo":
            return self.tag(f"echo {self.filtered()}")
        if kind == "cycle":
            name = self.pick(["", "", "'g': ", "n: "])
            return self.tag("cycle " + name + ", ".join(self.pick(["'1'", "'2'", "n", "s"]) for _ in range(r.randint(1, 3))))
        if kind == "counter":
            return self.tag(f"{self.pick(['increment', 'decrement'])} {self.pick(['c', 'x', 'e1'])}")
        if kind in ("if", "unless"):
            text = self.tag(f"{kind} {self.condition()}") + self.body(depth)
            while kind == "if" and r.random() < 0.3:
                text += self.tag(f"elsif {self.condition()}") + self.body(depth)
            if r.random() < 0.4:
                text += self.tag("else") + self.body(depth)
            return text + self.tag("end" + kind)
        if kind == "case":
            text = self.tag(f"case {self.value()}")
            for _ in range(r.randint(1, 3)):
                text += self.tag("when " + self.pick([", ", " or "]).join(self.value() for _ in range(r.randint(1, 2))))
                text += self.body(depth)
            if r.random() < 0.5:
                text += self.tag("else") + self.body(depth)
            return text + self.tag("endcase")
        if kind in ("for", "tablerow"):
            text = f"{kind} {self.pick(['i', 'x'])} in {self.pick(['l', 'ls', 'items', 'o', 'el', '(1..4)', 's', 'nosuch', 'nest'])}"
            if kind == "for" and r.random() < 0.25:
                text += " reversed"
            if r.random() < 0.25:
                text += f" limit: {self.pick(['2', 'n', '0'])}"
            if r.random() < 0.25:
                text += f" offset: {self.pick(['1', 'z', 'continue'] if kind == 'for' else ['1', 'z'])}"
            if kind == "tablerow" and r.random() < 0.6:
                text += f" cols: {self.pick(['2', '1', '3'])}"
            inner = self.body(depth) + self.pick(["{{ i }}", "{{ forloop.index }}{{ forloop.last }}", "{{ i.k }}", "{{ tablerowloop.col }}", ""])
            if r.random() < 0.2:
                inner += self.tag(f"if {self.condition()}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif") + "k"
            if kind == "for" and r.random() < 0.3:
                inner += self.tag("else") + self.body(depth)
            return self.tag(text) + inner + self.tag("end" + kind)
        if kind == "capture":
            return self.tag(f"capture {self.pick(['x', 'y'])}") + self.body(depth) + self.tag("endcapture")
        if kind == "comment":
            return self.pick(["{% comment %}{{ a | }}{% endcomment %}", "{% # note %}", "{%- comment -%} x {%- endcomment -%}"])
        if kind == "raw":
            return "{% raw %}{{ a }}{% endraw %}"
        if kind == "ifchanged":
            return self.tag("ifchanged") + self.body(depth) + self.tag("endifchanged")
        name = self.pick(["p", "q"])
        how = self.pick(["", f" with {self.value()}", f" for {self.pick(['l', 'items', 'nosuch', 's'])}"])
        more = self.pick(["", f", a: {self.value()}"])
        return self.tag(f"{self.pick(['render', 'include'])} '{name}'{how}{more}")

    def template(self):
        return "".join(self.node() for _ in range(self.r.randint(1, 2)))
