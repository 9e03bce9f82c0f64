"""The files that the checks look at, and C text without its comments and strings."""

import pathlib
import re
import subprocess


class Tree:
    """The source files below ROOT: what git tracks or would track, else all there is."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self._text = {}
        self.files = sorted(f for f in self._list() if (self.root / f).is_file())

    def _list(self):
        git = ["git", "-c", "safe.directory=*", "-C", str(self.root), "ls-files", "-z", "--cached",
               "--others", "--exclude-standard"]
        if (self.root / ".git").exists():
            out = subprocess.run(git, check=True, capture_output=True).stdout
            return {f for f in out.decode().split("\0") if f}
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*")}

    def having(self, *endings, below=""):
        """The files with one of ENDINGS below a folder, but for what tools wrote."""
        return [f for f in self.files
                if f.endswith(endings) and f.startswith(below)
                and not any(part in f"/{f}" for part in ("/build/", "/node_modules/"))]

    def text(self, name):
        if name not in self._text:
            self._text[name] = (self.root / name).read_bytes().decode(errors="replace")
        return self._text[name]

    def lines(self, name):
        """Pairs of line number and line."""
        return enumerate(self.text(name).split("\n"), 1)


TOKEN = re.compile(
    r"""(?P<block>/\*.*?\*/) | (?P<line>//[^\n]*) | (?P<text>"(?:\\.|[^"\\\n])*") |
        (?P<char>'(?:\\.|[^'\\\n])*')""", re.S | re.X)


def blank(text):
    """TEXT with everything but its line ends made into spaces."""
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """C text in which comments and literals are blank; names of included files stay."""
    def replace(match):
        before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        if match.lastgroup == "text" and re.match(r"\s*#\s*include\s*$", before):
            return match.group()
        return blank(match.group())
    return TOKEN.sub(replace, text)


def line_comments(text):
    """Line numbers of // comments."""
    return [text.count("\n", 0, m.start()) + 1
            for m in TOKEN.finditer(text) if m.lastgroup == "line"]


def includes(text):
    """Triples of line number, quote ('"' or '<') and name."""
    found = re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', code_only(text), re.M)
    return [(text.count("\n", 0, m.start()) + 1, m.group(1), m.group(2)) for m in found]
