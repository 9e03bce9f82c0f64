/* settings - a runner of Gitea or Forgejo as it is kept: the document .runner, in act_runner's and forgejo-runner's form,
 * which both can read, with members of our own beside theirs (gitea-protocol.md 2.2).
 *
 *   WARNING, id, uuid, name, token, address, labels, ephemeral      theirs
 *   capacity            jobs at once; 1
 *   default_image       for jobs that no label of ours is named by; none: this machine
 *   timeout_ms          the longest that a job may take; 0: as long as the job says
 *   fetch_interval_ms   how often the server is asked for a job; 2000
 *   env                 object: what every job finds in its environment; ACTIONS_CACHE_URL among it stands for caches of
 *                       this machine's, and "" for none
 *   containers          what its containers may have of this machine: job/container/container_policy.h
 *   engine              where the container engine is, as DOCKER_HOST says it
 *   pull                images are pulled although they are here; false */
#pragma once

#include "base/arena.h"
#include "base/strmap.h"
#include "queue/gitea/labels.h"

#include <jansson.h>

enum {
    SETTINGS_CAPACITY_MAX = 1000,
    SETTINGS_FETCH_MS = 2000,
    SETTINGS_FETCH_MIN_MS = 100,
    SETTINGS_FETCH_MAX_MS = 600000,
    SETTINGS_ENV_MAX = 1000, /* variables */
};

struct gitea_settings {
    struct arena arena;
    const char *address; /* "https://git.example.com/sub", no slash at its end */
    const char *uuid, *token, *name;
    const char *const *label_texts; /* as written, NULL-terminated */
    struct label *labels;
    size_t n_labels;
    bool ephemeral;
    int capacity;
    const char *default_image; /* NULL: none */
    int64_t timeout_ms, fetch_interval_ms;
    struct strmap env;
    json_t *containers; /* with its "file"; owned; NULL: nothing is said of them */
    const char *engine; /* NULL: where the environment says */
    bool pull;
};

/* Fills RET with what DOCUMENT says; all is copied. ERR_INVALID, naming the member and what would be right. */
MUST_CHECK int gitea_settings_read(const json_t *document, struct gitea_settings *ret,
                                   struct err *err);
void gitea_settings_deinit(struct gitea_settings *s); /* wipes the token; zeroed is fine */

/* The document for S and the id that the server gave. New reference; it holds the token. */
json_t *gitea_settings_write(const struct gitea_settings *s, int64_t id);

/* TEXT, as somebody typed it, as an address in A: no white space around, no slash at its end. ERR_INVALID: it is none. */
MUST_CHECK int gitea_address(struct arena *a, const char *text, const char **ret, struct err *err);
