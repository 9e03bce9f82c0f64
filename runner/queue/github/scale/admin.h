/* admin - the admin connection: the token that the service of runner scale sets is asked with, and where that service is.
 *
 * Source: actions/scaleset client.go (updateTokenIfNeeded and what it calls). Up to three requests make one:
 *
 *   an app       POST /app/installations/ID/access_tokens, Bearer: a JSON Web Token signed with the app's key
 *   then, or a personal access token
 *                POST /ENTITY/actions/runners/registration-token, Bearer
 *   then, or a registration token
 *                POST /actions/runner-registration, RemoteAuth, {"url", "runner_event": "register"}: {"url", "token"}
 *
 * The token is kept and renewed as that of a registration is (api/token.h). One that began with a registration token can be had
 * for an hour only. */
#pragma once

#include "io/digest_rsa.h"
#include "queue/github/api/call.h"
#include "queue/github/api/rest.h"

struct scale_credential { /* one of the three; all is borrowed */
    const char *token;    /* to register with */
    const char *pat;
    const char *app; /* the client id of an app, or its number; with: */
    int64_t installation;
    const struct rsa_key *key;
};

struct scale_admin;

struct scale_admin_spec {  /* all is borrowed until scale_admin_free() */
    struct caller *caller; /* without token, which is ours to give */
    const struct github_place *place;
    const struct scale_credential *credential;
};

struct scale_admin *scale_admin_new(const struct scale_admin_spec *spec);
struct scale_admin *
scale_admin_free(struct scale_admin *a); /* wipes; returns NULL; NULL does nothing */

/* For caller.token. Its errors are for the operator, with the cure. */
struct github_token *scale_admin_token(struct scale_admin *a);

/* Where the service is: "https://pipelines.../"; NULL until there was a token. */
const char *scale_admin_url(const struct scale_admin *a);

/* What a JSON Web Token says how long it is good from its making, in seconds; 0: it is none, or does not say it. */
int64_t scale_token_life(const char *token);
