#!/usr/bin/env python3
"""Every struct, member, constant and id of the public headers is pinned in layout_v1.c; and every extension is one
that the test kit has and that the recorder passes on, which SERVED are.

    sdk/abi/pins.py INCLUDE_DIR LAYOUT_FILE SERVED...
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


def main(include, layout, *served):
    pins = Path(layout).read_text()
    missing = [f"{header}: {pin}" for header in ("plugin.h", "ext.h")
               for pin in wanted((Path(include) / "ostler" / header).read_text()) if pin not in pins]
    if missing:
        sys.exit("not pinned in " + layout + ":\n  " + "\n  ".join(missing))
    ids = re.findall(r"#define (OST_EXT_\w+)", (Path(include) / "ostler/ext.h").read_text())
    missing = [f"{name}: {one}" for name in served for one in ids if f"{{{one}, " not in Path(name).read_text()]
    if missing:
        sys.exit("extensions that are not served:\n  " + "\n  ".join(missing))
    print("pins: all there")


if __name__ == "__main__":
    main(*sys.argv[1:])
