/* token - the runner token of one registration: had with a signed assertion, kept, renewed in time (github-protocol.md 2).
 *
 * It is asked for when somebody first needs it. From then on a new one is fetched at 80 % of its life, so that nobody waits;
 * who is told 401 nevertheless drops it and asks once more. A clock that is off by more than 30 s is put right by the
 * server's own. */
#pragma once

#include "io/http.h"
#include "queue/github/settings.h"

struct github_token;

enum github_token_trouble {
    GITHUB_TOKEN_FINE,
    GITHUB_TOKEN_NO_ANSWER, /* none after all tries, or one that makes no sense: ask again later */
    GITHUB_TOKEN_INVALID_CLIENT, /* "invalid_client": the registration was deleted, or its key is another */
    GITHUB_TOKEN_SKEW,           /* the clocks differ, and the server's did not help */
    GITHUB_TOKEN_SERVER_ERROR, /* "server_error": ask again later */
    GITHUB_TOKEN_REFUSED,      /* another error of OAuth, or an answer 4xx */
    GITHUB_TOKEN_TROUBLES
};

/* TOKEN is valid for the call; NULL: there is none, for the reason TROUBLE, and ERR says it with the cure. */
typedef void github_token_fn(void *ctx, const char *token, enum github_token_trouble trouble,
                             const struct err *err);

struct github_token_spec {
    int64_t retry_ms; /* before the first retry; 0: 10 s, each time twice as long; 5 retries */
    const char
        *authority; /* copied: another one to be asked than the settings name; NULL: theirs */
    /* Something to be told once: clocks that differ. NULL: not wanted. */
    void (*note)(void *ctx, const char *text);
    /* Whence it is had instead, without SETTINGS: begins to fetch one, and later github_token_take() or
     * github_token_fail() is called, once, unless stop() was before. Both or none. */
    void (*fetch)(void *ctx);
    void (*stop)(void *ctx);
    void *ctx;
};

/* SETTINGS (borrowed until github_token_free()) has the key and the address; NULL with fetch(). HTTP and LOOP outlive the
 * token. SPEC may be NULL. */
struct github_token *github_token_new(const struct github_settings *settings, struct http *http,
                                      struct loop *loop, const struct github_token_spec *spec);

/* Wipes it. Who waits for it is told nothing. Returns NULL; NULL does nothing. */
struct github_token *github_token_free(struct github_token *t);

/* DONE is called once, from the loop, never before this returns. Any number may wait at once; there is one request. */
void github_token_get(struct github_token *t, github_token_fn *done, void *ctx);
/* Those that wait with this CTX are told nothing. */
void github_token_forget(struct github_token *t, const void *ctx);

/* Nobody needs it for now: it is not renewed before it is asked for again. */
void github_token_rest(struct github_token *t);

/* TOKEN was refused with 401, or the service asked for a new one (NULL: whatever it is): the next get() fetches one. A
 * token that is not the present one any more has been dropped already. */
void github_token_drop(struct github_token *t, const char *token);

/* What fetch() came to: TOKEN (copied), good for LIFE_S; 0: it does not say. */
void github_token_take(struct github_token *t, const char *token, int64_t life_s);
/* Or there is none: TEXT says it, with the cure. NO_ANSWER is tried again a few times first. */
void github_token_fail(struct github_token *t, enum github_token_trouble trouble, const char *text);

/* For times that the server judges: what to add to this machine's clock, in seconds; 0 unless it is off. */
int64_t github_token_offset(const struct github_token *t);
