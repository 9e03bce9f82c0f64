/* settings - what a registration at GitHub says: `.runner`, `.credentials`, `.credentials_rsaparams`, as the official runner
 * writes and reads them (github-protocol.md 1.7, 1.8), and the just-in-time configuration that carries all three (1.9). */
#pragma once

#include "base/slice.h"
#include "io/digest_rsa.h"
#include "queue/registration.h"

#include <stdint.h>

enum { GITHUB_JIT_MAX = 1 << 20 }; /* bytes of a just-in-time configuration as it is given */

/* Texts are never NULL, "" where nothing is said; all is its own until github_settings_free(). */
struct github_settings {
    uint64_t agent_id;
    const char *agent_name;
    int64_t pool_id;
    const char *pool_name;
    const char *github_url;    /* what was registered with; "" in just-in-time configurations */
    const char *server_url;    /* of the tenant; may be "" */
    const char *server_url_v2; /* of the broker */
    const char *work_folder;
    bool is_hosted; /* github.com and *.ghe.com; false: GitHub Enterprise Server */
    bool ephemeral, disable_update, skip_session_recover;
    bool use_v2;           /* the broker is listened to; SERVER_URL_V2 is set then */
    bool use_runner_admin; /* it was registered through /actions/runners/register */

    const char *client_id;
    const char *authorization_url; /* audience of the assertion */
    const char *token_url;         /* where it is sent */
    const char *
        authorization_url_v2; /* of the authority that the service moves runners to (2.7); "": it does not */
    bool migrates; /* that one is used from the start, and not only once the service says so */
    bool migrated; /* .runner was replaced by the service: what is here is that */
    bool fips;     /* sign with PS256 instead of RS256 */
    const char *access_token; /* scheme OAuthAccessToken: a token that is good as it is; else "" */
    struct rsa_key *key;      /* NULL with that scheme */
};

/* Reads R's. MIGRATED: where the service has replaced a file (.runner_migrated, .credentials_migrated), that one counts.
 * ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID name the file and the cure. *RET is the caller's. */
MUST_CHECK int github_settings_load(const struct registration *r, bool migrated,
                                    struct github_settings **ret, struct err *err);

/* Wiped. Returns NULL; NULL does nothing. */
struct github_settings *github_settings_free(struct github_settings *s);

/* ---- the files ---- */

/* Each a new document, as the official runner writes it: members that have their default are left out. */
json_t *github_settings_runner(const struct github_settings *s);
json_t *github_settings_credentials(const struct github_settings *s);
json_t *github_settings_key(const struct rsa_key *key); /* loose_wipe() it */

/* The key in such a document. */
MUST_CHECK int github_settings_parse_key(const json_t *document, struct rsa_key **ret,
                                         struct err *err);

/* True if the host of URL is GitHub's own: github.com, *.ghe.com, and their local stand-ins. */
bool github_is_hosted(struct slice url);

/* ---- just in time ---- */

/* What `--jitconfig` and ACTIONS_RUNNER_INPUT_JITCONFIG give: base64 of an object whose keys are names of files and whose
 * values are base64 of what is in them. *RET: an object of names and documents, for registration_memory() or
 * registration_create(); loose_wipe() it. ERR_INVALID: it is none, or lacks a file; the error holds none of it. */
MUST_CHECK int github_jit_parse(struct slice text, json_t **ret, struct err *err);
