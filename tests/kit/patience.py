"""How long to wait for what must come. Limits here are what a quiet machine with two cores needs at the very most; one that is
slower, or busy, takes so many times as long, and nobody waits longer for what is there."""

PATIENCE = 3
