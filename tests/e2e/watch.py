"""What is on the machine before and after: processes, mounts, files."""

import ctypes
import hashlib
import os
import pathlib
import signal
import stat
import time

from patience import PATIENCE

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Whatever loses its parent below us becomes our child, so nothing can get away unseen."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def _processes():
    """{pid: (parent, state)} of all there are."""
    table = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = pathlib.Path(entry.path, "stat").read_text(errors="replace")
            except OSError:
                continue  # it has ended
            state, parent = text[text.rfind(")") + 2:].split()[:2]
            table[int(entry.name)] = (int(parent), state)
    return table


def descendants(root=None):
    """Living processes below ROOT (default: this one), nearest first. Zombies are dead."""
    table, found, level = _processes(), [], {root or os.getpid()}
    while level:
        level = {pid for pid, (parent, _) in table.items() if parent in level}
        found += sorted(level)
    return [pid for pid in found if table[pid][1] not in "ZX"]


def arguments(pid):
    """What it was started with; nothing once it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def describe(pid):
    """A process as a person would want to see it in a message."""
    return f"{pid} ({' '.join(arguments(pid))[:120] or 'gone by now'})"


def wait_until_alone(limit):
    """Waits until nothing of ours is left, for LIMIT seconds with patience; returns what is."""
    deadline = time.monotonic() + limit * PATIENCE
    while True:
        left = descendants()
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_rest():
    """Ends what is left, so that one leaking case does not spoil the next."""
    for pid in descendants():
        kill(pid)
    wait_until_alone(5)


def reap(known=()):
    """Collects adopted children that have ended, but none of KNOWN."""
    for pid, (parent, state) in _processes().items():
        if parent == os.getpid() and state == "Z" and pid not in known:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def mounts_below(folder):
    """Mount points at or below FOLDER."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        points = [line.split()[4] for line in lines]
    return [p for p in points if p == str(folder) or p.startswith(f"{folder}/")]


def picture(folder, without=()):
    """{path: what there is} of everything below FOLDER: kind, mode, owner, size, time, content."""
    seen = {}
    for here, folders, files in os.walk(folder):
        folders[:] = [d for d in folders if os.path.join(here, d) not in without]
        for name in folders + files + ["."]:
            path = os.path.normpath(os.path.join(here, name))
            st = os.lstat(path)
            what = [stat.filemode(st.st_mode), st.st_uid, st.st_mtime_ns]
            if stat.S_ISREG(st.st_mode):
                try:
                    content = pathlib.Path(path).read_bytes()
                    what += [st.st_size, hashlib.sha256(content).hexdigest()]
                except PermissionError:
                    what += [st.st_size, "unreadable"]
            elif stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            seen[os.path.relpath(path, folder)] = tuple(what)
    return seen


def difference(before, after):
    """Lines that say how two pictures differ."""
    lines = [f"new: {p}" for p in sorted(after.keys() - before.keys())]
    lines += [f"gone: {p}" for p in sorted(before.keys() - after.keys())]
    return lines + [f"changed: {p}: {before[p]} -> {after[p]}"
                    for p in sorted(before.keys() & after.keys()) if before[p] != after[p]]
