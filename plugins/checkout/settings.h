/* settings - what a checkout is asked for: the inputs of actions/checkout, and what they mean for this job. */
#pragma once

#include "../lib/text.h"

#ifndef CHECKOUT_VERSION
#define CHECKOUT_VERSION "7.0.1" /* the same code serves every major that the build asks for */
#define CHECKOUT_MAJOR 7
#endif

/* In what the majors differ. */
enum {
    HAS_FILTER = CHECKOUT_MAJOR >= 4,           /* and show-progress, ssh-user, outputs */
    HAS_SPARSE_RESET = CHECKOUT_MAJOR >= 4,     /* a full checkout ends a sparse one */
    HAS_CREDENTIALS_FILE = CHECKOUT_MAJOR >= 6, /* the token is not in .git/config */
    HAS_OBJECT_FORMAT = CHECKOUT_MAJOR >= 6,    /* SHA-256 repositories */
    HAS_TAGS_AS_THEY_ARE = CHECKOUT_MAJOR >= 6, /* tags are fetched as tags, and checked */
};

enum submodules { SUBMODULES_NONE, SUBMODULES_OWN, SUBMODULES_ALL };

struct settings {
    const char *owner, *name;              /* of the repository */
    bool own;                              /* it is the workflow's */
    const char *workspace, *temp, *folder; /* absolute, the last below the first */
    const char *given;                     /* the input `ref` */
    const char *ref;                       /* "refs/heads/main", "main", "" */
    const char *commit;                    /* 40 or 64 hex digits, or "" */
    bool clean, progress, tags, lfs, persist, safe_directory, cone;
    int64_t depth; /* 0: all */
    const char *filter;
    const char *const *sparse; /* NULL-terminated */
    size_t n_sparse;
    enum submodules submodules;
    const char *token; /* "": none */
    const char *ssh_key, *known_hosts, *ssh_user;
    bool strict;
    const char *server;       /* "https://github.com": scheme, host, port */
    const char *host;         /* of it, without the port */
    const char *url;          /* of the repository there */
    const char *organization; /* the id of the workflow repository's owner; "": not known */
};

/* Reads the inputs. Below 0: the failure has been recorded. */
ost_status settings_read(struct ost_step *step, struct settings *ret);

/* "https://github.com" of an address; NULL: none that git could fetch over HTTP. *RET_HOST is without port. */
const char *server_origin(struct ost_step *step, const char *url, const char **ret_host);

/* Refuses the code of a fork in a job that has the secrets of the repository it was sent to. Errors likewise. */
ost_status guard_forks(struct ost_step *step, const struct settings *s);

/* A text of the contexts; "": none. */
const char *context_text(struct ost_step *step, const char *name);
