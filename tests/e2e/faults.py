"""Faults by table: each kind of fault at each call, many at once over one listener and one double.

A row is one job (or task) and one fault that strikes one of its calls. What must hold for every row: the job's result and
log are what they would be without it, or its loss is told once; the call is made again within its pause, and not before
the server wants it; and nothing spins: neither calls nor the listener's CPU time."""

import dataclasses
import os
import queue
import threading
import time

from double import HTML
from world import check

MINUTE = 1.0  # seconds that one of the service's minutes takes
QUICK = {"OSTLER_TEST_MINUTE_MS": str(int(MINUTE * 1000)), "_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF": "1"}
SLACK = 2.0   # seconds for a machine that is busy

# name -> what the double is told. "hang" is cut off after a while, as a proxy would.
KINDS = {
    "5xx": ("status", {"status": 503, "type": "application/json"}),
    "429": ("status", {"status": 429, "type": "application/json", "headers": {"Retry-After": "1"}}),
    "html": ("status", {"status": 200, "body": HTML}),
    "hang": ("hang", {"seconds": 0.7}),
    "reset": ("reset", {}),
    "cut": ("cut", {}),
    "garbage": ("garbage", {}),
    "lost": ("lost", {}),
    "late": ("late", {"seconds": 0.7}),
    "trickle": ("trickle", {"seconds": 0.7}),
    "expired": ("status", {"status": 401, "type": "application/json"}),
}
FAILS = {"5xx", "429", "html", "hang", "reset", "lost", "cut", "expired"}  # the client sees that it failed: it asks again


@dataclasses.dataclass(frozen=True)
class Row:
    call: str
    kind: str
    skip: int = 0

    def __str__(self):
        return f"{self.kind} at {self.call}{f' (after {self.skip})' if self.skip else ''}"


def table(calls, kinds=tuple(KINDS), without=()):
    """Rows of each of KINDS at each of CALLS, without those (call, kind) that make no sense there."""
    return [Row(call, kind) for call in calls for kind in kinds if (call, kind) not in without]


def diagonal(rows, part):
    """One in PART of ROWS, so that every call and every kind is in it."""
    return [row for number, row in enumerate(rows) if number % part == 0]


def pump(listener, threads):
    """Its lines are read while THREADS work, or it would wait for us."""
    while any(thread.is_alive() for thread in threads):
        listener.running._pump(0.05)


def side_by_side(listener, rows, workers, one):
    """ONE(worker, number, row) for all of ROWS, each worker one after the other; what failed, as texts."""
    waiting, failed = queue.Queue(), []
    for number, row in enumerate(rows):
        waiting.put((number, row))

    def work(worker):
        while True:
            try:
                number, row = waiting.get_nowait()
            except queue.Empty:
                return  # its runner may be in any state now
            try:
                one(worker, number, row)
            except Exception as error:
                text, _, _ = str(error).partition("\n--- the last")
                failed.append(f"{row}: {type(error).__name__}: {text}")
                return  # its runner may be in any state now
    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    pump(listener, threads)
    return failed


def asked_again(double, calls, hit, most, row):
    """The call after HIT among CALLS(), of the same name and side, comes when it should: within MOST of the service's seconds."""
    after = double.wait(lambda: hit.ended and [call for call in calls() if call.number > hit.number], most / 60 * MINUTE + SLACK)
    ended = hit.at if row.kind == "expired" else hit.ended
    gap = after[0].at - ended
    check(gap <= most / 60 * MINUTE + SLACK, f"{row}: asked again after {gap:.1f} s")
    if row.kind == "429":
        check(gap >= 0.95, f"{row}: asked again after {gap:.2f} s, the server wanted 1 s")
    soon = [call for call in after if call.at - ended < 0.2]
    check(len(soon) <= 12, f"{row}: {len(soon)} calls within 0.2 s")


class Thrift:
    """What LISTENER spends in a while, in seconds of CPU time: nothing spins."""

    def __init__(self, listener):
        self.listener, self.began, self.ticks = listener, time.monotonic(), listener.cpu_ticks()

    def spent(self):
        return (self.listener.cpu_ticks() - self.ticks) / os.sysconf("SC_CLK_TCK")

    def at_most(self, seconds, what):
        spent = self.spent()
        check(spent <= seconds, f"{what}: {spent:.2f} s of CPU time in {time.monotonic() - self.began:.1f} s, wanted {seconds:.2f} at most")
