/* script - what is sent to a server's "sh -s": values, the library, one of the scripts in remote/. Values go this
 * way and no other, quoted, so that none is ever read as a command or seen in a list of processes. */
#pragma once

#include "../lib/text.h"

/* TEXT as one word of a shell. */
void script_quote(struct sink *to, const char *text);

void script_value(struct sink *to, const char *name, const char *value); /* NAME='...' */
void script_number(struct sink *to, const char *name, long long value);
void script_bool(struct sink *to, const char *name, bool value);

/* A call of the script's function NAME, behind the script. */
void script_call(struct sink *to, const char *name, const char *one, const char *two);

/* All of it. In braces: a shell runs nothing before it has read the end, so one whose connection breaks in the
 * middle does nothing. */
const char *script_text(struct ost_step *step, const char *values, const char *body,
                        const char *calls);

/* The files in remote/, made into texts by CMakeLists.txt. */
extern const char sh_lib[], sh_connect[], sh_release[], sh_inspect[], sh_prepare[], sh_take[],
    sh_pull[], sh_switch[], sh_commands[], sh_health[], sh_logs[], sh_rollback[], sh_drop[],
    sh_commit[];
