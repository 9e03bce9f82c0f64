/* config - configuration files: options of "ostler run" that are the same for every run.
 *
 * A YAML mapping whose keys are names of options, without the dashes:
 *
 *     jobs: 4
 *     limit: {memory: 4G, processes: 500}     # --limit memory=4G --limit processes=500
 *     plugins: {prefer: only}                 # --plugins only; the rest of it is in plugin_policy.h
 *     offline: true                           # --offline
 *     listen: {allow: [acme/app], slots: 4}   # whose jobs a listener takes: listen/policy.h; options of "ostler listen"
 *
 * What is said here is checked by whoever takes the options; here it is only known which may be said. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "lang/token.h"
#include "listen/policy.h"

enum { CONFIG_SIZE_MAX = 1 << 20 }; /* bytes of a file */

struct config_option {
    const char *name;  /* "limit" */
    const char *value; /* "memory=4G"; NULL: a flag that is set */
    const char *file;
    int line, col; /* of the value */
};

struct config { /* what it holds lives in the arena */
    VEC(struct config_option) options;
    VEC(const char *) plugin_path; /* plugins.path */
    json_t *policies;              /* as plugin/policy.h has them; NULL: none */
    struct listen_policy listen;
    VEC(struct config_option) listen_options; /* of "ostler listen" alone */
};

void config_deinit(struct config *c);

/* The mapping that PATH holds; NULL: it says nothing. Errors as below. */
MUST_CHECK int config_tree(struct arena *a, const char *path, struct token **ret, struct err *err);

/* The whole text of PATH, a file that decides which code jobs run. ERR_NOT_FOUND: it is not there. ERR_DENIED:
 * others than its owner, who has to be this user or root, may write it. */
MUST_CHECK int config_load(const char *path, struct buf *text, struct err *err);

/* Adds what PATH says to RET, in the order of the file. ERR_NOT_FOUND: it is not there. ERR_INVALID: it is no such
 * mapping, with file, line, column and cure. ERR_DENIED: as above. */
MUST_CHECK int config_read(struct arena *a, const char *path, struct config *ret, struct err *err);
