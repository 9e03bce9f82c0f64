/* register - makes this machine known to a Gitea or Forgejo server (gitea-protocol.md 2.1, 2.2). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/strmap.h"
#include "io/http.h"

#include <jansson.h>

struct gitea_register_spec { /* all borrowed */
    struct http *http;       /* on a loop that nobody turns meanwhile: this one does */
    struct loop *loop;       /* that one */
    const char *address;     /* of the instance, as typed: "https://git.example.com/" */
    const char *token;       /* of the registration; wiped by whoever has it */
    const char *
        uuid; /* the server has made the runner already (Forgejo), and TOKEN is its own; else NULL */
    const char *name;    /* at most 255 bytes */
    const char *version; /* Ostler's */
    const char *const
        *labels;          /* "NAME:host", "NAME:docker://IMAGE"; NULL-terminated, at least one */
    bool ephemeral;       /* one job, then the server forgets it */
    const json_t *extras; /* members for .runner, as import.h reads them; NULL: none */
};

/* Registers. *RET: the document .runner for registration_create(), to be wiped: it holds the runner's token. *RET_NOTE, a
 * text of the program's or NULL: what is to be said out loud. Errors are for the operator, with the cure:
 *
 *   ERR_INVALID      a bad address, name or label; nothing was sent
 *   ERR_DENIED       the server refuses the token
 *   ERR_UNSUPPORTED  that is no such server, it is too old, or its Actions are switched off
 *   ERR_SYS          it cannot be reached; trying again may help
 *   ERR_FAILED       anything else that it says */
MUST_CHECK int gitea_register(const struct gitea_register_spec *spec, json_t **ret,
                              const char **ret_note, struct err *err);

/* The runner of a secret that `forgejo-cli actions register --secret` gave the server: 40 hexadecimal digits, which are its
 * token, too. Its uuid, in A. ERR_INVALID: that is no such secret. */
MUST_CHECK int gitea_uuid_of_secret(struct arena *a, const char *secret, const char **ret,
                                    struct err *err);
