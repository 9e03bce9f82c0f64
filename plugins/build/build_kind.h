/* build_kind - what a folder can be built as, and the commands that do it. A row of a table each. */
#pragma once

#include "build_facts.h"

enum kind {
    KIND_DOCKER,
    KIND_NPM,
    KIND_CMAKE,
    KIND_PYTHON,
    KIND_GO,
    KIND_COMMAND,
    KINDS,
    KIND_UNKNOWN = KINDS
};

enum { COMMANDS_MAX = 3 };

struct recipe {
    struct ost_step *step;
    const char *workspace; /* absolute */
    const char *folder;    /* of the project: clean, relative to the workspace; "": there */
    const char *at;        /* the same, absolute */
    enum kind kind;
    const char *const *args; /* more words for the command that builds; NULL-terminated */
    const char *const *commands[COMMANDS_MAX + 1]; /* argv after argv, in order; ends with NULL */
    size_t n_commands;
};

/* By name; KIND_UNKNOWN: "auto". */
enum kind kind_of_name(const char *name);
const char *kind_name(enum kind kind);

/* What the folder AT is by its files. OST_E_INVALID, recorded: nothing we know, or several things. */
ost_status kind_find(struct ost_step *step, const char *at, const char *folder, enum kind *ret);

/* Fills in the commands of every kind but docker, from the step's inputs. Below 0: recorded. */
ost_status recipe_make(struct recipe *r);

/* Where the commands put what they build, as a pattern below the folder; NULL: they do not say. */
const char *kind_artifacts(enum kind kind);

/* Commands whose first line of output tells the version of a tool that the result depends on. */
const char *const *const *kind_tools(enum kind kind);

/* Variables that the tools read; NULL-terminated. */
const char *const *kind_variables(enum kind kind);
