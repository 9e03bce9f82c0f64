/* login - who we are to a registry: as the inputs say, or as `docker login` has left it in the job. What it finds is
 * masked before anybody else sees it. */
#pragma once

#include "../lib/text.h"

struct login {
    const char *user, *password; /* "": nobody */
    const char *identity;        /* a refresh token instead; "" */
};

struct login_spec {
    const char *registry, *user, *password; /* the inputs: for this host alone */
    const char *const *env;                 /* the job's: DOCKER_CONFIG and HOME count */
};

/* For HOST, as in a reference. A config.json that cannot be read, and a credential helper that fails, are recorded;
 * that nobody has logged in is no error. */
ost_status login_find(struct ost_step *step, const struct login_spec *spec, const char *host,
                      struct login *ret);

/* "user:password" in base64. False: it is none. For tests. */
bool login_decode(struct ost_step *step, const char *auth, struct login *ret);

/* The value of NAME in ENV; "". */
const char *login_env(const char *const *env, const char *name);
