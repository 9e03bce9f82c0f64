/* exchange - one request being answered, as the services see it. Private to serve/. */
#pragma once

#include "base/arena.h"
#include "serve/artifacts.h"
#include "serve/caches.h"
#include "serve/site.h"

enum {
    BODY_JSON_MAX = 1 << 20,      /* bytes of a request in JSON */
    SIGNED_UPLOAD_S = 6 * 3600,   /* how long an address for an upload is good */
    SIGNED_DOWNLOAD_S = 6 * 3600, /* and one for a download: a job may wait before it reads */
    EXCHANGE_WILD_MAX = 2,
};

enum auth {
    AUTH_TOKEN, /* the job's token, as Bearer */
    AUTH_READ,  /* the address is signed for reading */
    AUTH_WRITE, /* the same for writing */
    AUTH_NONE,
};

enum body {
    BODY_NONE,
    BODY_OBJECT, /* JSON */
    BODY_BLOB,   /* goes into x->piece where begin() has opened one, else it is text */
};

struct exchange;
typedef void service_fn(struct exchange *x);

/* One thing that can be asked for. */
struct service {
    const char *method, *path; /* each "*" of the path stands for one part of it */
    enum auth auth;
    enum body body;
    service_fn *begin; /* BODY_BLOB: may open x->piece; NULL otherwise */
    service_fn *end;   /* gives the reply, or leaves it to exchange_assemble() */
    bool xml;          /* its errors are XML, as blob stores have them */
    service_fn *done;  /* after exchange_assemble(): the upload is whole */
};

extern const struct service artifact_services[]; /* each list ends with an entry without a method */
extern const struct service blob_services[];
extern const struct service cache_services[];
extern const struct service cache_v1_services[];
extern const struct service folder_services[];
extern const struct service oidc_services[];

struct exchange {
    struct site *site;
    const struct request *request;
    struct request own;            /* in its place where the address has a token */
    struct slice token;            /* of the address; ptr NULL: it has none */
    const struct service *service; /* NULL: nothing serves this path */
    char *wild[EXCHANGE_WILD_MAX]; /* what the stars stand for */
    struct arena arena;
    json_t *claims; /* AUTH_TOKEN: of the token */
    json_t *json;   /* BODY_OBJECT */
    struct buf body;
    struct piece *piece;
    int64_t start, size,
        total; /* BODY_BLOB: of the request's Content-Range, for those who have one */
    struct reply reply;
    bool failed; /* the reply is there, and tells of an error */
    bool ready;
    exchange_fn *fn;
    void *ctx;
    int64_t received;      /* the upload that x->piece is of, for those who need it */
    int64_t upload;        /* that is being put together; 0: none */
    bool cache;            /* that upload is a cache's */
    struct exchange *next; /* those that wait */
};

struct site {
    struct token_key key;
    struct artifacts *artifacts;
    struct caches *caches;
    struct exchange *waiting;
    struct strmap ended;  /* ids of jobs that are over */
    struct rsa_key *sign; /* of id tokens; NULL until the first one */
};

/* ---- asking ---- */

const char *exchange_query(const struct exchange *x, const char *name);  /* NULL: not there */
const char *exchange_header(const struct exchange *x, const char *name); /* the same */

/* A member of the request's object; the second one also by its name in camelCase. Numbers may come as text, as JSON for
 * protocol buffers has 64-bit ones. NULL and -1: it is not there, or something else. */
const char *exchange_text(const struct exchange *x, const char *name);
int64_t exchange_number(const struct exchange *x, const char *name);

/* A claim of the token; "" when it has none. */
const char *exchange_claim(const struct exchange *x, const char *name);

/* ---- replying; each of these is the end of an exchange ---- */

void exchange_json(struct exchange *x, int status, json_t *take_json);
void exchange_empty(struct exchange *x, int status);
/* Sends the file FD, which it takes over, or the part of it that the request wants. */
void exchange_file(struct exchange *x, int take_fd, const char *type);
/* CODE is twirp's: "not_found", "already_exists", ... */
void exchange_fail(struct exchange *x, int status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void exchange_fail_err(struct exchange *x, const struct err *err);

/* ---- more ---- */

/* An address on this server, signed for VERB ("r", "w"); in the arena. */
const char *exchange_sign(struct exchange *x, const char *verb, const char *path);

/* Puts U together from NAMES; then the service's done() is called. CACHE: U is one of the caches'. */
void exchange_assemble(struct exchange *x, struct upload *u, bool cache, const struct slice *names,
                       size_t n);
struct upload *exchange_upload(struct exchange *x); /* that one; NULL: it was dropped */

/* TEXT as a part of a query or header; in the arena. */
const char *exchange_quote(struct exchange *x, const char *text);

/* "attachment; filename*=..." for NAME. */
void exchange_set_file_name(struct exchange *x, const char *name);
