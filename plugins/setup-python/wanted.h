/* wanted - which Pythons a step asks for: the input, or what a file of the project says. */
#pragma once

#include "../lib/semver.h"

enum {
    VERSION_FILE_MAX = 1 << 20, /* bytes of a pyproject.toml or .python-version */
    VERSIONS_MAX = 32,          /* of one step */
};

struct wanted {
    const char *text;  /* as written: "3.12-dev", "3.13t" */
    const char *range; /* the same as a range of versions: "~3.12.0-0", "3.13" */
    bool freethreaded; /* the build without the global lock */
};

struct wanteds { /* the last is the one that later steps get; none: whatever is on PATH */
    struct wanted list[VERSIONS_MAX];
    size_t n;
};

/* Reads the inputs that say which. Below 0: they make no sense, and the failure has been recorded. */
ost_status wanted_read(struct ost_step *step, struct wanteds *ret);

/* What VERSION, as people write it, means: "3.12", "3.x", ">=3.9 <3.12", "3.13-dev", "3.13.0rc1", "3.13t".
 * With PRERELEASES, a plain "3.13" holds those of 3.13.0 too. False: nothing known. */
bool wanted_parse(struct ost_step *step, const char *version, bool prereleases, struct wanted *ret);

/* Adds to TO the versions that the text of a file NAME asks for: pyproject.toml, Pipfile, .tool-versions, or
 * one version a line. Below 0: the file is broken, and the failure has been recorded. */
ost_status wanted_in_file(struct ost_step *step, const char *name, struct span text,
                          struct strings *to);
