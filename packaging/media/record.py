#!/usr/bin/env python3
"""Runs a command on a terminal of its own and draws what it left there as an SVG.

    record.py OUT.svg [--columns N] [--rows N] [--title TEXT] -- COMMAND...

The pictures in the README are made with it; it needs nothing but Python.
"""
import argparse
import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

COLORS = {30: "#6e7681", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff",
          36: "#76e3ea", 37: "#e6edf3", 90: "#8b949e", 91: "#ffa198", 92: "#7ee787", 93: "#e3b341",
          94: "#79c0ff", 95: "#d2a8ff", 96: "#76e3ea", 97: "#ffffff"}
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Screen:
    """Cells of (character, style); what scrolls off the top stays, as in a terminal's history."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.col = columns, [[]], 0, 0
        self.style = (None, False, False)

    def feed(self, text):
        at = 0
        while at < len(text):
            found = SEQUENCE.match(text, at)
            if found:
                self.control(found.group(1), found.group(2))
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def put(self, char):
        if char == "\n":
            self.row += 1
        elif char == "\r":
            self.col = 0
        elif char >= " ":
            if self.col >= self.columns:
                self.row, self.col = self.row + 1, 0
            self.grow()
            line = self.lines[self.row]
            line.extend([(" ", (None, False, False))] * (self.col + 1 - len(line)))
            line[self.col] = (char, self.style)
            self.col += 1
        self.grow()

    def grow(self):
        while len(self.lines) <= self.row:
            self.lines.append([])

    def control(self, arguments, what):
        numbers = [int(n) for n in re.findall(r"\d+", arguments)]
        first = numbers[0] if numbers else 0
        if what == "m":
            self.paint(numbers or [0])
        elif what == "A":
            self.row = max(0, self.row - (first or 1))
        elif what == "G":
            self.col = (first or 1) - 1
        elif what == "K":
            self.grow()
            del self.lines[self.row][self.col:]
        elif what == "J":
            self.grow()
            del self.lines[self.row][self.col:]
            del self.lines[self.row + 1:]

    def paint(self, numbers):
        color, bold, dim = self.style
        for n in numbers:
            if n == 0:
                color, bold, dim = None, False, False
            elif n == 1:
                bold = True
            elif n == 2:
                dim = True
            elif n == 22:
                bold = dim = False
            elif n == 39:
                color = None
            elif n in COLORS:
                color = COLORS[n]
        self.style = (color, bold, dim)


def run(command, columns, rows):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns))
        os.environ.pop("NO_COLOR", None)
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    out = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
    os.waitpid(pid, 0)
    return out.decode(errors="replace")


def spans(line):
    """Runs of cells that look the same."""
    at = 0
    while at < len(line):
        end = at
        while end < len(line) and line[end][1] == line[at][1]:
            end += 1
        yield at, "".join(c for c, _ in line[at:end]), line[at][1]
        at = end


def draw(screen, title):
    wide, high, top = 8.43, 19, 44
    while screen.lines and not screen.lines[-1]:
        screen.lines.pop()
    width, height = screen.columns * wide + 32, len(screen.lines) * high + top + 16
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
           f'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" '
           f'font-size="14">',
           f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
           '<circle cx="20" cy="20" r="6" fill="#ff5f56"/><circle cx="40" cy="20" r="6" '
           'fill="#ffbd2e"/><circle cx="60" cy="20" r="6" fill="#27c93f"/>',
           f'<text x="84" y="25" fill="#8b949e">{html.escape(title)}</text>']
    for row, line in enumerate(screen.lines):
        for col, text, (color, bold, dim) in spans(line):
            if not text.strip():
                continue
            out.append(f'<text x="{16 + col * wide:.1f}" y="{top + 14 + row * high}" '
                       f'fill="{color or "#e6edf3"}" textLength="{len(text) * wide:.1f}" '
                       f'xml:space="preserve"'
                       + (' font-weight="bold"' if bold else "") + (' opacity="0.65"' if dim else "")
                       + f'>{html.escape(text)}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--title", default="")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    screen = Screen(args.columns)
    screen.feed(run(args.command, args.columns, args.rows))
    with open(args.out, "w", encoding="utf-8") as file:
        file.write(draw(screen, args.title or "$ " + " ".join(args.command)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
