"""What a case is: a function that takes a World, named by what must hold.

    @case()
    def a_step_fails_when_its_command_does(w): ...

Run by "module/function"; a part of that is enough, so that groups can be named too. A module lies in a folder of its
kind below cases/, which is no part of its name."""

import dataclasses
import importlib
import pathlib

CASES = []
SHORT = 60  # seconds of limit; with --half a case that may take longer is in one half only


@dataclasses.dataclass
class Case:
    name: str
    function: object
    who: str      # "any": as root and as an ordinary user; "root"; "user"
    quick: bool   # part of the quick suite
    limit: int    # seconds, with patience, before the case counts as hung
    needs: tuple  # "network", "docker", "services": with "docker", images of PostgreSQL and Redis
    thorough: bool  # only with --thorough: what it needs is made then


def case(who="any", quick=True, limit=SHORT, needs=(), thorough=False):
    def register(function):
        group = function.__module__.rpartition(".")[2]
        CASES.append(Case(f"{group}/{function.__name__}", function, who, quick, limit, needs, thorough))
        return function
    return register


def load(group="*"):
    """All cases, or those of one GROUP: reading them all takes longer than most of them run."""
    here = pathlib.Path(__file__).parent
    for path in sorted(here.glob(f"cases/**/{group}.py"), key=lambda p: p.stem):
        importlib.import_module(".".join(path.relative_to(here).with_suffix("").parts))
    return CASES
