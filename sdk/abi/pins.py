#!/usr/bin/env python3
"""Every struct, member, constant and id of the public headers is pinned in layout_v1.c.

    sdk/abi/pins.py INCLUDE_DIR LAYOUT_FILE
"""
import re
import sys
from pathlib import Path


def wanted(text):
    """What has to be pinned for a header: the beginnings of lines."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for struct, body in re.findall(r"struct (ost_\w+) \{(.*?)\};", text, re.S):
        yield f"SIZE({struct},"
        for member in filter(str.strip, body.split(";")):
            function = re.search(r"\(\*(\w+)\)\(", member)
            names = [function[1]] if function else [re.search(r"(\w+)\s*$", one)[1] for one in member.split(",")]
            yield from (f"AT({struct}, {name}," for name in names)
    yield from (f"IS({name}," for name in re.findall(r"\b(OST_[A-Z_]+) = ", text))
    yield from (f"ID({name}," for name in re.findall(r"#define (OST_EXT_\w+)", text))


def main(include, layout):
    pins = Path(layout).read_text()
    missing = [f"{header}: {pin}" for header in ("plugin.h", "ext.h")
               for pin in wanted((Path(include) / "ostler" / header).read_text()) if pin not in pins]
    if missing:
        sys.exit("not pinned in " + layout + ":\n  " + "\n  ".join(missing))
    print("pins: all there")


if __name__ == "__main__":
    main(*sys.argv[1:])
