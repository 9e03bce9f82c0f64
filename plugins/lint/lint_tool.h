/* lint_tool - the linters we know: how a project configures each, what starts it, how its output is
 * read. One row of a table each; see lint_tool.c. */
#pragma once

#include "lint_check.h"

enum origin {                /* where its program is looked for */
              ORIGIN_NODE,   /* node_modules/.bin from the project upwards, then PATH */
              ORIGIN_PYTHON, /* .venv/bin and venv/bin likewise, then PATH */
              ORIGIN_SYSTEM, /* PATH */
};

struct tool {
    const char *name, *alias; /* ALIAS: another name users give it; NULL: none */
    enum origin origin;
    const char *const *programs; /* names of its program, best first; NULL-terminated */
    const char *install;         /* the command that installs it */

    /* Any of these in a folder means: the project there wants this linter. NULL: no such sign. */
    const char *const *files; /* names; a final * stands for anything; NULL-terminated */
    const char *package_key;  /* a key of package.json */
    const char *toml_table;   /* a table of pyproject.toml, or one below it */
    const char *ini_section;  /* a section of setup.cfg or tox.ini */

    /* A linter that does not walk folders is given files, at most BATCH a command; several commands run
     * side by side. WANTS tells which of a folder's files are its own (ABSOLUTE is for looking inside);
     * LIST, where set, names them all at once instead, clean and as seen from the absolute DIR, or is
     * NULL with *RET_WHY the reason. */
    unsigned batch; /* 0: it takes folders */
    bool (*wants)(const char *name, const char *absolute);
    const char *const *(*list)(struct ost_step *step, const char *dir, const char **ret_why);

    /* Appends what follows the program's name. DIR is the root's absolute path. False: it cannot run
     * there, and trouble says why. */
    bool (*command)(struct ost_step *step, struct check *c, const char *dir, struct strings *argv);
    /* Fills in findings, or trouble if the output makes no sense. WORKSPACE is absolute. */
    void (*read)(struct ost_step *step, struct check *c, const char *workspace);
    /* The page that explains RULE; "": none. */
    const char *(*help)(struct ost_step *step, const char *rule);
    const char *url; /* the linter's home, for SARIF */
};

extern const struct tool tools[]; /* ends with a row without name */

/* By name or alias, case ignored; NULL: no such linter. */
const struct tool *tool_find(struct span name);
const char *tool_names(struct ost_step *step); /* "eslint, prettier, ..." */
