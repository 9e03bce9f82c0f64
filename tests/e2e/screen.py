"""A terminal small enough to reason about: enough of one to see what a live display left on it."""

import re
import unicodedata

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>78]|\x1b\][^\x07]*\x07")


def width(char):
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Screen:
    """Feed it what a program wrote; LINES is what a person would see, scrolled-off lines first."""

    def __init__(self, columns=80, rows=24):
        self.columns, self.rows = columns, rows
        self.grid, self.row, self.col, self.top = [[]], 0, 0, 0
        self.wrapped = 0           # characters that did not fit into their line
        self.cursor_shown = True
        self.strange = []          # sequences we know nothing of
        self.frames = 0            # times the cursor went up: redraws of a live area

    def feed(self, text):
        at = 0
        while at < len(text):
            found = SEQUENCE.match(text, at)
            if found:
                self._control(found)
                at = found.end()
                continue
            self._char(text[at])
            at += 1
        return self

    def _char(self, char):
        if char == "\n":
            self._down()
        elif char == "\r":
            self.col = 0
        elif char == "\b":
            self.col = max(0, self.col - 1)
        elif char == "\t":
            self.col = min(self.columns - 1, self.col // 8 * 8 + 8)
        elif char == "\x1b" or ord(char) < 32 and char != "\x07":
            self.strange.append(char)
        elif char != "\x07":
            self._put(char)

    def _put(self, char):
        if self.col + width(char) > self.columns:
            self.wrapped += 1
            self.col = 0
            self._down()
        line = self.grid[self.row]
        line.extend(" " * (self.col - len(line) + width(char)))
        if width(char):
            line[self.col] = char
            self.col += width(char)

    def _down(self):
        self.row += 1
        if self.row == len(self.grid):
            self.grid.append([])
        self.top = max(self.top, self.row - self.rows + 1)

    def _control(self, found):
        args, what = found.group(1), found.group(2)
        number = int(args) if args and args.isdigit() else 1
        if what == "A":
            self.row = max(self.top, self.row - number)
            self.frames += 1
        elif what == "B":
            self.row = min(len(self.grid) - 1, self.row + number)
        elif what == "C":
            self.col = min(self.columns - 1, self.col + number)
        elif what == "G":
            self.col = number - 1
        elif what == "K":
            if args == "2":
                self.grid[self.row] = []
            else:
                del self.grid[self.row][self.col:]
        elif what == "J":
            del self.grid[self.row][self.col:]
            del self.grid[self.row + 1:]
        elif what in "hl":
            if args == "?25":
                self.cursor_shown = what == "h"
        elif what not in ("m", None):
            self.strange.append(found.group())

    @property
    def lines(self):
        return ["".join(line).rstrip() for line in self.grid]
