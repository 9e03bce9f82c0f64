/* settings - the inputs, checked, as the stage works with them. What is not here has the input's own name. */
#pragma once

#include "../lib/text.h"

enum {
    HOSTS_MAX = 32, /* each takes two of the commands that a phase may have running */
    KEEP_MAX = 1000,
};

enum strategy { STRATEGY_COMPOSE, STRATEGY_RELEASE, STRATEGY_COMMAND, STRATEGIES };

extern const char *const strategy_names[STRATEGIES + 1]; /* NULL-terminated, as choices */

/* How to get into one machine. Names hold nothing that means something to a shell or to ssh. */
struct server {
    const char *user, *name; /* USER "": ssh's own choice */
    uint32_t port;
    const char *label; /* as errors and the log name it: unlike all others */
};

struct identity {
    const char *key, *passphrase; /* "": ssh's own keys and agent; "": none */
    const char *const *pins;      /* fingerprints, "SHA256:...", NULL-terminated */
};

struct health {
    const char *url;     /* ""; with {host} */
    bool from_server;    /* who asks for it */
    const char *command; /* ""; on the server */
    bool containers;     /* of compose, they count */
    uint32_t retries;    /* after the first look */
    int64_t interval_ms, timeout_ms;
};

struct settings {
    enum strategy strategy;
    const struct server *servers;
    size_t n_servers;
    struct identity self, jump;
    const struct server *jump_server; /* NULL: none */
    const char *known_hosts;
    const char *folder;
    int64_t connect_ms, command_ms, lock_ms; /* LOCK_MS 0: refuse at once */
    /* what is deployed */
    const char *const *compose_files; /* relative to the workspace, clean */
    const char *const *files;
    const char *const *services, *const *profiles;
    const char *project;
    const char *const *env; /* name, value, name, value, NULL */
    const char *registry, *username, *password;
    bool pull, prune, remove_orphans, rollback;
    const char *source; /* absolute */
    const char *const *exclude, *const *shared;
    const char *script, *pre, *post, *undo; /* commands; "" */
    bool commands_once;                     /* PRE and POST on the first server only */
    uint32_t keep, max_unavailable;
    struct health health;
    const char *url;
    const char *workspace;
};

/* Every mistake in the inputs has been recorded, and nothing outside them was looked at but which compose file the
 * workspace has. */
ost_status settings_read(struct ost_step *step, struct settings *ret);

/* The command that shows a person the keys of a server. */
const char *settings_keyscan(struct ost_step *step, const struct server *server);
