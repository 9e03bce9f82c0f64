/* talk - asks a site as a client does, without a socket. */
#pragma once

#include "serve/site.h"

#include <jansson.h>

extern const struct token_key talk_key;

/* A site in the scratch folder: ./run and ./cache. BUDGET 0: plenty. */
struct site *talk_open(int64_t budget);
void talk_close(struct site *s); /* as when the server is killed: nothing is cleared up */

/* The token of JOB; it may write caches of REF and read those of refs/heads/main. */
char *talk_token(const char *job, const char *ref);

struct answer {
    int status;
    char *type; /* NULL: no content */
    char *text; /* of the content, a file's included */
    size_t size;
    json_t *json; /* NULL: it is none */
    struct strmap headers;
};

/* Asks and waits for the answer. TARGET is a path with its query, not encoded, or an address that the
 * site gave; TOKEN may be NULL; HEADER is "Name: value" or NULL; BODY may be NULL. */
struct answer talk(struct site *s, const char *token, const char *method, const char *target,
                   const char *header, const char *body);
void answer_free(struct answer *a);

/* A twirp method: "ArtifactService/CreateArtifact". */
struct answer twirp(struct site *s, const char *token, const char *method, const char *json);

/* Member NAME of the answer's object; "" when it is none. */
const char *answer_text(const struct answer *a, const char *name);
