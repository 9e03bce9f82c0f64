/* access - the folder with what ssh needs: the keys, the hosts' keys that count, a configuration that names them.
 * The runner's own ssh configuration and known hosts have no say. */
#pragma once

#include "settings.h"

struct access {
    struct ost_step *step;
    const char *dir;
    const char *config;     /* for ssh -F; the servers are "h1", "h2"... in it */
    const char *const *env; /* for every ssh */
    bool pinned;            /* by fingerprint: what was offered is in the file "offered" */
};

/* Makes it, mode 0700; its name has been saved for the post phase before. The failure has been recorded. */
ost_status access_make(struct ost_step *step, const struct settings *s, struct access *ret);

/* Removes the folder DIR, which may be gone already or hold anything; tells when that fails. */
void access_remove(struct ost_step *step, const char *dir);

/* The fingerprint and type that a server offered last, when they were not the pinned ones; "". */
const char *access_offered(const struct access *a);
