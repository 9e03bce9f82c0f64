/* settings - what the inputs of ostler/backup ask for, checked. */
#pragma once

#include "../lib/text.h"

enum operation { OP_BACKUP, OP_VERIFY, OP_RESTORE, OP_PRUNE, OP_LIST };
enum kind { KIND_POSTGRES, KIND_MYSQL, KIND_FILES };

struct settings {
    struct ost_step *step;
    enum operation operation;
    enum kind kind;
    const char *name; /* what the backups are called: letters, digits, - _ . */
    const char *database, *host, *port, *user, *password;
    const char *container; /* "": the client is run in the job */
    const char *const *options, *const *paths, *const *exclude;
    const char *compress;        /* "zstd", "gzip" or "none" */
    const char *bucket, *prefix; /* of s3://; BUCKET NULL: it is none */
    const char *ssh;             /* user@host of ssh://; NULL: it is none */
    const char *ssh_port;        /* "": its own */
    const char *folder;          /* of the other two kinds */
    const char *endpoint, *region, *access, *secret, *token;
    bool path_style;
    const char *ca_file;
    const char *file; /* which backup; "": the newest */
    const char *restore_to;
    int64_t keep_last, keep_days; /* 0: not asked for */
    bool verify, dry_run;
};

/* Below 0, recorded: something is missing or wrong. */
ost_status settings_read(struct settings *s, struct ost_step *step);

const char *kind_name(enum kind k);
/* Letters, digits, '-', '_' and '.', no dash or dot in front: what a backup and its files can be called. */
bool settings_is_name(const char *text);
/* "dump.sql.zst" without the front: ".sql.zst". */
const char *settings_suffix(const struct settings *s);
/* Where the backups go, for people: "s3://bucket/prefix". */
const char *settings_place(const struct settings *s);
