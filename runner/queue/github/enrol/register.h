/* register - makes this machine known to GitHub, and forgotten again (github-protocol.md 1.3 to 1.6, 1.10).
 *
 * For commands: each turns the client's loop until the work is done. What the service answers decides which of its two
 * interfaces is used. Nothing is written here: the documents go to registration_create(), by keep() or behind it. */
#pragma once

#include "io/http.h"
#include "queue/registration.h"

enum {
    GITHUB_LABEL_MAX = 256, /* bytes of a label */
    GITHUB_LABELS_MAX = 100,
    GITHUB_NAME_MAX = 64, /* of a runner; GitHub's own limit */
};

/* TEXT, a name or a label, has 1 to MAX bytes, and nothing that a page or a header would take for something else. */
bool github_is_clean(const char *text, size_t max);

struct github_register_spec { /* all is borrowed */
    struct http *http;        /* on LOOP, which nobody turns meanwhile */
    struct loop *loop;
    const char *url;   /* of a repository, an organisation, an enterprise */
    const char *token; /* to register, or to remove */
    const char *pat;   /* instead: such a token is had with it */
    bool
        force_ghes; /* GITHUB_ACTIONS_RUNNER_FORCE_GHES: the host is no GitHub of its own, whatever its name */
    int64_t retry_ms; /* before a token is asked for again; 0: 10 s */

    /* To register: */
    const char *name;
    const char *const *labels; /* its own, NULL-terminated; NULL: none */
    bool no_default_labels;    /* without self-hosted, Linux and the architecture */
    const char *group;         /* NULL: the default one */
    const char *work_folder;   /* "_work" */
    const char *version;       /* reported: "2.336.0" */
    bool ephemeral;
    bool replace; /* a runner of that name */
    /* Asked when the name is taken and REPLACE is not set; NULL: no. */
    bool (*may_replace)(void *ctx, const char *name);
    /* Keeps what *RET will be, borrowed, while it still can be taken back. NULL: nothing to be done. */
    int (*keep)(void *keep_ctx, const json_t *files, struct err *err);
    void *keep_ctx;
    /* Something to be told. NULL: not wanted. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
};

/* *RET: the documents for registration_create(); loose_wipe() them, the key is among them. Errors are for the operator,
 * with the cure:
 *
 *   ERR_INVALID      a bad address, name, label or group, or the name is taken; nothing was registered
 *   ERR_DENIED       the server refuses the token
 *   ERR_UNSUPPORTED  the server cannot do what was asked for
 *   ERR_SYS, ERR_TIMEOUT  it cannot be reached; trying again may help
 *   ERR_FAILED       anything else that it says
 *
 * What fails behind the registration itself, keep() included, takes it back; where the server does not let us, that is noted. */
MUST_CHECK int github_register(const struct github_register_spec *spec, json_t **ret,
                               struct err *err);

/* Makes the server forget R; its files are the caller's to remove then. That it has forgotten it already is success. The
 * token is one to remove with. Errors as above. */
MUST_CHECK int github_unregister(const struct registration *r,
                                 const struct github_register_spec *spec, struct err *err);
