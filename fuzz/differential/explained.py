"""Which differences from python-liquid are wanted: the numbers are those of differences.md."""

import re

RULES = [
    (8, r"\n$", "a line end at the end of a template"),
    (9, r"tablerow \w in el", "a table without rows"),
    (10, r"limit: 0", "a limit of 0"),
    (7, r"\| (first|last)|(ls|s|d|w)\.(first|last)", "first and last of a text"),
    (11, r"\| sum", "sums of what are no numbers"),
    (12, r"replace(_first|_last)?: ('',|e,|nothing,)|remove(_first|_last)?: ('' |''|e |nothing|e$)", "replacing the empty text"),
    (13, r"\| round", "rounding texts, and to negative places"),
    (14, r"\| date", "dates of what are no dates"),
    (6, r"\(n\.\.2\)", "a range that runs backwards"),
    (15, r"\(1\.\.3\)|\(1\.\.n\)", "ranges in filters"),
    (16, r"\| (abs|plus|minus|times|divided_by|modulo|at_least|at_most|ceil|floor)", "arithmetic with texts and booleans"),
    (17, r"\| (truncate|truncatewords|slice)", "cutting before the front or to less than the ending"),
    (18, r"(for|tablerow) \w in s ", "a text is a list of one"),
    (19, r"\| (map|where|reject|find|find_index|has)", "properties of what has none"),
    (20, r"size", "sizes of integers"),
    (21, r"(<|>|<=|>=) (true|false|nil|no|t|nothing|empty|blank|nosuch|o\.nosuch\.x|y|x)|(true|false|nil|no|t|nothing|empty|blank|nosuch|o\.nosuch\.x|y|x) (<|>)", "the order of what has none"),
    (22, r"big", "integers beyond 64 bits in comparisons"),
    (25, r"ifchanged.*(break|continue|include)", "what ifchanged printed before it was left"),
    (26, r"contains (true|false|no|t)\b", "booleans looked for in texts"),
    (23, r"tablerow", "leaving a table at the end of a row"),
    (24, r"base64_encode|url_encode|remove|replace|append|prepend|split|join|strip|escape|case|sort", "texts of lists and booleans in the host's notation"),
]


def reason(template, mine, output, error):
    error = error or ""
    if "LiquidTypeError" in error and "supported between" in error or error.startswith("TypeError: unhashable"):
        return "1 comparing what has no order"
    if "cannot be compared with a number" in mine.get("message", ""):
        return "2 comparing a text with a number"
    if "unexpected 'break'" in error or "unexpected 'continue'" in error:
        return "3 break outside of a loop"
    if error.startswith("LiquidSyntaxError: expected word, found"):
        return "4 a literal behind with or for"
    if re.search(r"[\[{(]|False|True|None", output or "") and "output" in mine:
        return "5 nested values and booleans in the host's notation"
    for number, pattern, what in RULES:
        if re.search(pattern, template):
            return f"{number} {what}"
    return None
