/* commands - workflow commands in a line of output: recognised, taken apart, unescaped. Pure.
 *
 *   form 2   ::name key=value,key=value::data          only white space may come before it
 *   form 1   ...##[name key=value;key=value]data       may begin anywhere in the line
 *
 * The rules, down to their corners, are those of GitHub's runner (runtime contract 5.1). */
#pragma once

#include "base/buf.h"

enum command_kind {
    COMMAND_ADD_MASK,
    COMMAND_ADD_MATCHER,
    COMMAND_ADD_PATH,
    COMMAND_DEBUG,
    COMMAND_ECHO,
    COMMAND_ENDGROUP,
    COMMAND_ERROR,
    COMMAND_GROUP,
    COMMAND_NOTICE,
    COMMAND_REMOVE_MATCHER,
    COMMAND_SAVE_STATE,
    COMMAND_SET_ENV,
    COMMAND_SET_OUTPUT,
    COMMAND_STOP_COMMANDS,
    COMMAND_WARNING,
    COMMAND_KINDS
};

/* What is known of a kind of command. */
struct command_info {
    struct slice name;
    bool quiet;    /* echo-suppressed: its raw line is never logged, its errors name it only */
    bool insecure; /* disabled unless ACTIONS_ALLOW_UNSECURE_COMMANDS is true */
};

const struct command_info *command_info(enum command_kind kind);

/* The kind called NAME, in any case; COMMAND_KINDS: there is none. */
enum command_kind command_find(struct slice name);

/* Properties after these are ignored, as are those without a value. */
enum { COMMAND_PROPERTIES_MAX = 32 };

struct command_property {
    struct slice key, value; /* the value is unescaped; the key is as written, blanks included */
};

/* One command, taken apart. Its slices point into TEXT and into the line: both must outlive it. */
struct command {
    struct slice name; /* as written */
    struct slice data; /* unescaped */
    struct command_property properties[COMMAND_PROPERTIES_MAX];
    size_t n_properties;
    struct buf text; /* holds what had to be unescaped */
};

/* A limit of the unescaped text; no line handed to command_parse() is longer. */
enum { COMMAND_LINE_MAX = 1 << 20 };

void command_init(struct command *c);
void command_deinit(struct command *c); /* wipes: the data may be a secret */

/* True for a name that counts as a command. */
typedef bool command_known_fn(const void *ctx, struct slice name);

/* Reads LINE (without its line end), form 2 first. False: it is no command, for KNOWN (NULL: the
 * commands above) did not know its name, or it has neither form. C may be used again and again. */
bool command_parse(struct command *c, struct slice line, command_known_fn *known, const void *ctx);

/* The value of the property KEY, compared in any case; the empty slice when there is none. A key that
 * was given twice has its last value. */
struct slice command_property(const struct command *c, const char *key);

/* True when LINE has a place where a command could begin: nearly all lines are done with after this. */
bool command_possible(struct slice line);

/* TEXT as a value of a form 1 property: % ; CR LF ] become %25 %3B %0D %0A %5D. */
void command_escape(struct slice text, struct buf *out);

/* Appends LINE with "##[start-action" and "##[end-action" written as "##[\start-action" and
 * "##[\end-action", so that no step can forge the runner's own markers (runtime contract 5.6). */
void command_hide_markers(struct slice line, struct buf *out);
