/* action_ref - "owner/repo/path@ref": a repository of a server, what lies in it, and a version of it.
 *
 * What has been parsed here can be used in paths and addresses: no name in it leads upwards, starts with a
 * dash or holds anything that a shell, a URL or a file system would read as more than a letter. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum {
    ACTION_NAME_MAX = 100,
    ACTION_PATH_MAX = 1000,
    ACTION_VERSION_MAX = 250,
    ACTION_SERVER_MAX = 200, /* a host and its port */
};

struct action_ref {
    const char *repository; /* "owner/repo" as written; names ignore case */
    const char *owner, *repo;
    const char *path; /* below the top of the repository; "": the top itself */
    const char *ref;  /* a branch, a tag, a full ref or a commit's digits */
    const char
        *source; /* where it says itself that it is had: "https://git.example.com"; else NULL */
};

enum uses_kind {
    USES_REMOTE, /* "owner/repo/path@ref", if it is anything at all */
    USES_LOCAL,  /* "./path", and ".\path" */
    USES_SELF,   /* "$/path" */
    USES_IMAGE,  /* "docker://image" */
};

/* What a step's `uses` names. */
enum uses_kind uses_kind(struct slice uses);

/* Everything of *RET lives in A. ERR_INVALID says what no repository, path or version can be called. */
MUST_CHECK int action_ref_parse(struct arena *a, struct slice text, struct action_ref *ret,
                                struct err *err);

/* The same as Gitea and Forgejo have it: the address of a server may stand in front, "https://HOST/owner/repo/path@ref",
 * and becomes `source`. ERR_INVALID also for an address with a user in it, and for one of ssh: that would be asked with the
 * keys of whoever runs us. */
MUST_CHECK int action_ref_parse_from(struct arena *a, struct slice text, struct action_ref *ret,
                                     struct err *err);

/* ---- its parts ---- */

/* An owner or a repository: letters, digits, '-', '_' and '.'. */
bool action_ref_is_name(struct slice name);
/* What git could call a branch, a tag or a commit. */
bool action_ref_is_version(struct slice ref);
/* All the digits of a commit: 40, or 64 in repositories with SHA-256. */
bool action_ref_is_commit(struct slice ref);
