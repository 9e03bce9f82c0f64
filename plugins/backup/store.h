/* store - where backups lie: S3-compatible storage, a folder, or a folder behind ssh. A file that is being written is
 * not there until its last part is. Every failure has been recorded. */
#pragma once

#include "settings.h"

struct store {
    const struct settings *set;
    struct ost_step *step;
    size_t part_size; /* of a part; all but the last have it at least */

    /* Writes the next part of the file NAME; a first one that is also the LAST is all of it. */
    ost_status (*write)(struct store *s, const char *name, struct span part, bool last);
    /* Gives the file up that is being written, if any; also after a cancel. */
    void (*drop)(struct store *s);
    /* Writes the file NAME to FD. OST_E_NOT_FOUND: there is none. */
    ost_status (*get)(struct store *s, const char *name, int fd);
    /* Names that begin with PREFIX. */
    ost_status (*list)(struct store *s, const char *prefix, struct strings *ret);
    ost_status (*remove)(struct store *s, const char *name); /* what is not there is no error */
    void (*close)(struct store *s);
};

enum { STORE_NAMES_MAX = 100000 };

/* *RET lives in phase memory; store_close() when done. */
ost_status store_open(const struct settings *set, struct store **ret);
void store_close(struct store *s); /* NULL does nothing */

ost_status store_s3(const struct settings *set, struct store **ret);
ost_status store_shell(const struct settings *set, struct store **ret); /* folder and ssh */

/* A small file as one. */
ost_status store_put_text(struct store *s, const char *name, const char *text);
ost_status store_get_text(struct store *s, const char *name, size_t limit, char **ret);

/* What an earlier phase left behind when it was stopped: half an upload. */
ost_status store_tidy(const struct settings *set);
