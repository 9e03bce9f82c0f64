/* wanted - which Node a step asks for: the input, or what a file of the project says. */
#pragma once

#include "../lib/semver.h"

enum {
    VERSION_FILE_MAX = 1 << 20, /* bytes of a package.json or .nvmrc */
    VOLTA_EXTENDS_MAX = 8,      /* manifests that refer to the next */
};

struct wanted {
    const char *text;  /* as written: "lts/jod", "20"; "": whatever there is */
    const char *range; /* what npm makes of it: "*", "20" */
    bool lts;          /* only lines with long-term support */
    int lts_back;      /* lts/-1: one line before the newest there is */
    bool newest;       /* the newest of all releases was asked for, which is not known here */
};

/* Reads the inputs node-version and node-version-file. Below 0: neither makes sense, and the failure has
 * been recorded. */
ost_status wanted_read(struct ost_step *step, struct wanted *ret);

/* What VERSION, as people write it, means: "20", "v20.1", "lts/iron", "latest". False: nothing known. */
bool wanted_parse(const char *version, struct wanted *ret);

/* The version that the text of a file NAME asks for: .nvmrc, .node-version, .tool-versions, mise.toml,
 * package.json. NULL: none. *RET_NEXT is set when another manifest is to be asked instead, as a path seen
 * from this one's folder. TEXT is changed. */
const char *wanted_in_file(struct ost_step *step, const char *name, char *text, size_t size,
                           const char **ret_next);
