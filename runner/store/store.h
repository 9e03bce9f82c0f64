/* store - repositories of others on this disk, by commit: actions, and workflows that are called.
 *
 *   FOLDER/HOST/OWNER/REPO/
 *     COMMIT/    the tree of that commit, as git has it; whole from the moment it has this name
 *     refs       which commit a branch or tag was, and when that was asked (refs.h)
 *     COMMIT.size how much that is (room.h)
 *     lock       held by whoever fetches from this repository
 *     new-...    what the holder of the lock is making; what a killed one left goes with the next
 *
 * HOST is the server's name (source.h), OWNER and REPO are in small letters. Nobody writes below COMMIT: a
 * job gets an overlay of it, or a copy. All of it may be removed at any time that nothing runs; what is
 * missing is fetched again. */
#pragma once

#include "base/strmap.h"
#include "io/git.h"
#include "lang/action_ref.h"

enum {
    STORE_ASK_TIMEOUT_MS = 2 * 60 * 1000,    /* what a name stands for */
    STORE_FETCH_TIMEOUT_MS = 20 * 60 * 1000, /* a repository, as GitHub's runner has it */
    STORE_FILES_MAX = 500000,                /* in one commit */
    STORE_RETRY_MS =
        10000, /* before an archive is asked for a second time, as GitHub's runner waits */
};
/* Bytes of one commit's files, and of what git fetches for it. */
#define STORE_TREE_MAX (4ULL << 30)

/* A commit that somebody else has named, with its archive: nothing but that is asked for. It lies in the store under the
 * name of the archive's server. */
struct store_given {
    const char *repository; /* "owner/repo", as the server calls it */
    const char *sha;
    const char *url;    /* of the archive; NULL: this one is not given */
    const char *header; /* of HTTP, that proves who asks; NULL: nothing does. A secret */
};

/* For `login_header` of struct store_spec: what git servers take for TOKEN. */
void store_login_header(struct slice token, struct buf *to);

/* Whether it is whole, and leads nowhere else. */
MUST_CHECK int store_given_check(const struct store_given *given, struct err *err);

/* Everything is borrowed. */
struct store_spec {
    const char *folder; /* absolute; made when something is fetched */
    const char *source; /* where repositories are had that do not say it themselves, see source.h */
    bool offline;       /* never ask the source */
    int64_t budget;     /* bytes that all entries may have, see room.h; 0: STORE_BUDGET_DEFAULT */
    /* Milliseconds since 1970: a name that was asked for then or later is not asked for again. So a run has one
     * commit for a name, however many of its jobs use it. */
    int64_t since;
    const struct strmap *locks;  /* see lock.h; NULL: none */
    const struct strmap *clones; /* "owner/repo": folder of a clone that stands for its server, also
                                    offline; NULL: none */
    struct git_env git;          /* what git is started with */
    /* For each of the references that are asked for; NULL: nothing is given. */
    const struct store_given *given;
    int64_t retry_ms; /* 0: STORE_RETRY_MS */
    /* A source whose server is told who asks, and no other: what is here of it is only handed out after it has let us in,
     * which is all that it is asked when `offline`. NULL: none. */
    const char *login;
    bool stranger; /* `source` is a server that a workflow named: it gets nobody's credentials */
    const char *login_header; /* of HTTP: "Authorization: Basic ...". A secret */
};

struct store_entry {
    char sha[GIT_SHA_SIZE];
    const char *path; /* absolute: the commit's tree */
    const char *note; /* what was done instead of what was asked for; NULL: nothing */
};

/* Now, as `since` counts. */
int64_t store_now(void);

/* What is here already, without asking anybody: for a name that is not fresh (`since`) only with `offline`.
 * ERR_NOT_FOUND: it is not, and the text says so with the cure; ERR_DENIED: the lock says otherwise. Texts
 * of *RET are in A. */
MUST_CHECK int store_find(const struct store_spec *spec, const struct action_ref *ref,
                          struct arena *a, struct store_entry *ret, struct err *err);

/* The same, and what is not here is fetched. Blocks for as long as the server takes: child.h does it in a
 * process of its own. ERR_NOT_FOUND: there is no such repository or version. */
MUST_CHECK int store_get(const struct store_spec *spec, const struct action_ref *ref,
                         struct arena *a, struct store_entry *ret, struct err *err);

/* ---- between store.c and get.c ---- */

/* Where one repository is had. */
struct store_origin {
    const char *address; /* for git */
    const char *shown;   /* for people: no password in it */
    const char *folder;  /* of all its entries */
    const char *web;     /* archives of it come from this source; NULL: it is asked with git */
    const struct store_given *given; /* the one that is wanted; NULL: it has to be asked for */
    bool local;                      /* on this machine: asking it is no network */
    bool login;                      /* it is the spec's */
};
MUST_CHECK int store_origin(const struct store_spec *spec, const struct action_ref *ref,
                            struct arena *a, struct store_origin *ret, struct err *err);

/* Whether the commit SHA is there; then *RET names it. */
bool store_has(const char *folder, const char *sha, struct arena *a, struct store_entry *ret);

/* ERR_DENIED naming both when the lock says something else than SHA. */
MUST_CHECK int store_check_lock(const struct store_spec *spec, const struct action_ref *ref,
                                struct arena *a, const char *sha, struct err *err);
