/* manifest - what is known of a backup: a JSON file beside it, which is written last and removed first, so that what has
 * one is whole. Only what has one is listed, verified, restored or pruned. */
#pragma once

#include "rows.h"
#include "store.h"

enum { MANIFEST_SIZE_MAX = 8 << 20 };

struct manifest {
    const char *file;    /* "shop-20261122T013000Z.sql.zst" */
    const char *created; /* "20261122T013000Z" */
    enum kind kind;
    const char *database;
    int64_t size; /* bytes of FILE */
    const char *sha256;
    struct rows rows;
    int64_t entries;      /* of an archive of files */
    const char *verified; /* when, as CREATED; "": never */
};

/* "20261122T013000Z" of now. */
const char *manifest_stamp(struct ost_step *step);
/* Seconds since 1970; -1: STAMP is none. */
int64_t manifest_time(const char *stamp);

/* The name of the manifest of NAME made at STAMP. */
const char *manifest_name(struct ost_step *step, const char *name, const char *stamp);
/* The stamp in TEXT, if that is the name of a manifest of NAME; NULL: it is not. */
const char *manifest_is_of(struct ost_step *step, const char *text, const char *name);

const char *manifest_format(struct ost_step *step, const char *name, const struct manifest *m);
/* NULL, or why TEXT, which is used up, is no manifest. */
const char *manifest_parse(struct ost_step *step, char *text, struct manifest *ret);

/* The stamps of the backups in S, the oldest first. */
ost_status manifest_list(struct store *s, struct strings *ret);
/* Recorded when there is none, or it is none. */
ost_status manifest_load(struct store *s, const char *stamp, struct manifest *ret);
ost_status manifest_save(struct store *s, const struct manifest *m);
