/* scan_secrets - takes lines from wherever they come and keeps what is secret in them, without keeping it visible. */
#pragma once

#include "scan_allow.h"
#include "scan_patch.h"

enum { SECRETS_MAX = 2000 /* kept; what is beyond is only counted */ };

struct known; /* one secret that has been found */

struct secrets { /* STEP, ALLOW and PREFIX are to be filled in, the rest zeroed */
    struct ost_step *step;
    const struct allow *allow;
    const char *prefix;       /* of the repository in the workspace */
    bool past;                /* lines of commits: a secret that is known is no news */
    struct findings findings; /* without a byte of a secret but its first four */
    size_t n_lines, n_allowed, n_more;
    ost_status status; /* of masking; below 0 ends the search */

    struct known *known;
    size_t n_known, room_known;
    char file[PATCH_NAME_MAX]; /* of the line before */
    uint32_t number;
    const struct rule *key; /* a private key may have begun there */
    bool next_allowed;
};

/* A patch_fn; CTX is the struct secrets. */
void secrets_line(void *ctx, const struct patch_line *line);

/* All lines of the file PATH, relative to the repository. */
void secrets_text(struct secrets *s, const char *path, struct span text);
