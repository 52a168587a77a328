"""Just enough C for the checks: code without comments, its tokens, functions and nesting.

It leans on the tree's own style (clang-formatted, no macros that unbalance braces); what it
cannot follow it raises as Confused, and the check reports that as a finding.
"""

import re

PLAIN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\"\"|''|->|\+\+|--|<<=|>>=|\.\.\.|[-+*/%&|^<>=!]=|"
                   r"&&|\|\||<<|>>|\S")
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.M)
LOOPS = {"for", "while", "switch"}
WORD = re.compile(r"[A-Za-z_]\w*$")


class Confused(Exception):
    pass


def keep_lines(text):
    return "\n" * text.count("\n")


def strip(text):
    """Comments become blanks and literals become empty ones; every line keeps its number."""
    def plain(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] * 2
        return " " + keep_lines(found)
    return PLAIN.sub(plain, text)


def strip_directives(text):
    """Code only: text as strip() leaves it, without preprocessor lines."""
    return DIRECTIVE.sub(lambda m: keep_lines(m.group(0)), text)


class Token:
    __slots__ = ("text", "line")

    def __init__(self, text, line):
        self.text, self.line = text, line


def tokens(code):
    found, line, at = [], 1, 0
    for match in TOKEN.finditer(code):
        line += code.count("\n", at, match.start())
        at = match.start()
        found.append(Token(match.group(0), line))
    return found


def skip_pair(toks, i):
    """toks[i] opens a bracket; the index behind the one that closes it."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    waiting = []
    while i < len(toks):
        text = toks[i].text
        if text in pairs:
            waiting.append(pairs[text])
        elif waiting and text == waiting[-1]:
            waiting.pop()
            if not waiting:
                return i + 1
        elif text in pairs.values():
            break
        i += 1
    raise Confused("brackets do not balance")


class Function:
    """head: tokens before the body; body: tokens inside its braces."""

    def __init__(self, name, params, head, body, end):
        self.name, self.params, self.head, self.body = name, params, head, body
        self.line, self.end = head[0].line, end
        self.is_static = any(t.text == "static" for t in head)


class Declaration:
    """A statement at file scope that is not a function's body."""

    def __init__(self, toks):
        self.tokens = toks
        self.line = toks[0].line


def top_level(toks):
    """Functions and declarations of a file, in order."""
    found, start, i = [], 0, 0
    while i < len(toks):
        text = toks[i].text
        if text == "{" and i > start and toks[i - 1].text == ")":
            end = skip_pair(toks, i)
            found.append(make_function(toks[start:i], toks[i + 1:end - 1], toks[end - 1].line))
            start = i = end
        elif text in "({[":
            i = skip_pair(toks, i)
        elif text == ";":
            if i > start:
                found.append(Declaration(toks[start:i]))
            start = i = i + 1
        elif text in ")}]":
            raise Confused(f"'{text}' without its opening")
        else:
            i += 1
    return found


def make_function(head, body, end):
    opened = next(i for i, t in enumerate(head) if t.text == "(")
    while opened and head[opened - 1].text in ("__attribute__", "PRINTF_LIKE"):
        opened = skip_pair(head, opened)
        opened += next(i for i, t in enumerate(head[opened:]) if t.text == "(")
    closed = skip_pair(head, opened)
    name = head[opened - 1].text if opened else "?"
    return Function(name, count_params(head[opened + 1:closed - 1]), head, body, end)


def count_params(toks):
    if not toks or [t.text for t in toks] == ["void"]:
        return 0
    count, i = 1, 0
    while i < len(toks):
        if toks[i].text in "({[":
            i = skip_pair(toks, i)
            continue
        count += toks[i].text == ","
        i += 1
    return count


def deepest(body):
    """(depth, line) of the deepest control statement in a function's body."""
    best, i = (0, 0), 0
    while i < len(body):
        i, found = statement(body, i, 0)
        best = max(best, found, key=lambda f: f[0])
    return best


def statement(toks, i, depth):
    """Reads one statement at nesting `depth`: (index behind it, deepest (depth, line) in it)."""
    if i >= len(toks):
        raise Confused("a statement is missing")
    text, line = toks[i].text, toks[i].line
    best = (depth, line)

    def inner(i, depth):
        nonlocal best
        i, found = statement(toks, i, depth)
        best = max(best, found, key=lambda f: f[0])
        return i

    if text == "{":
        end = skip_pair(toks, i)
        i += 1
        while i < end - 1:
            i = inner(i, depth)
        return end, best
    if text in LOOPS or is_loop_macro(toks, i):
        return inner(skip_pair(toks, i + 1), depth + 1), best
    if text == "if":
        i = inner(skip_pair(toks, i + 1), depth + 1)
        if i < len(toks) and toks[i].text == "else":
            is_chain = i + 1 < len(toks) and toks[i + 1].text == "if"
            i = inner(i + 1, depth if is_chain else depth + 1)
        return i, best
    if text == "do":
        i = inner(i + 1, depth + 1)
        i = skip_pair(toks, i + 1)
        return i + (i < len(toks) and toks[i].text == ";"), best
    if text in ("case", "default") or (
            WORD.match(text) and i + 1 < len(toks) and toks[i + 1].text == ":"):
        return skip_label(toks, i), best
    return skip_expression(toks, i), best


def is_loop_macro(toks, i):
    """LIST_EACH(...) and its like: capitals with brackets, before a statement of their own."""
    if not toks[i].text.isupper() or i + 1 >= len(toks) or toks[i + 1].text != "(":
        return False
    after = skip_pair(toks, i + 1)
    return after < len(toks) and (toks[after].text == "{" or bool(WORD.match(toks[after].text)))


def skip_label(toks, i):
    while i < len(toks) and toks[i].text != ":":
        i = skip_pair(toks, i) if toks[i].text in "({[" else i + 1
    return i + 1


def skip_expression(toks, i):
    while i < len(toks) and toks[i].text != ";":
        i = skip_pair(toks, i) if toks[i].text in "({[" else i + 1
    return i + 1


def calls(body):
    """Names that are called in a body: a word before a bracket, not a member or a keyword."""
    keywords = {"if", "for", "while", "switch", "return", "sizeof", "do", "else", "_Alignof"}
    found = {}
    for before, token, after in zip([None] + body, body, body[1:]):
        if after.text == "(" and WORD.match(token.text) and token.text not in keywords:
            if before is None or before.text not in ("->", "."):
                found.setdefault(token.text, token.line)
    return found
