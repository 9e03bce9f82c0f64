/* cmd_plan - "ostler plan": what an event would run, and why; nothing is run. See cmd_plan.md. */
#pragma once

int cmd_plan(int argc, char **argv);

extern const char cmd_plan_help[];
