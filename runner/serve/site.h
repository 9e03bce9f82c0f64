/* site - what a run's server answers: requests in, replies out, without any HTTP library.
 *
 *   exchange_new()    the head of a request is here
 *   exchange_body()   a part of its body
 *   exchange_end()    that was all of it
 *
 * After that there is a reply, at once or (a large upload is being put together) some calls of site_work()
 * later. A request is never refused before its end: clients do not look for an answer while they send. */
#pragma once

#include "base/strmap.h"
#include "serve/token.h"

struct site;
struct exchange;

/* "<base>_token/<token>/<path>" is "<base><path>" with the job's token, for clients that have another one to show. */
#define SERVICES_TOKEN_PATH "_token/"

struct site_spec {
    struct token_key key;
    const char *run; /* the run's number as text; folders are named by it */
    int run_dir;     /* the run's folder: artifacts are kept in it */
    int cache_dir;   /* the folder of the repository's caches */
    int64_t budget;  /* bytes of caches */
};

/* Takes over both folders, also when it fails. */
MUST_CHECK int site_new(const struct site_spec *spec, struct site **ret, struct err *err);
/* The run is over (END), or just this server's life. Every exchange must be freed before. Returns NULL. */
struct site *site_free(struct site *s, bool end);

/* The job with the id JOB is over: its token is good for nothing any more, and what it was uploading goes, so that
 * others may save the same cache. */
void site_end_job(struct site *s, const char *job);

/* True while site_work() has something to do; it does a bounded part of it. */
bool site_busy(const struct site *s);
void site_work(struct site *s);

/* The head of a request. All borrowed until exchange_free(). */
struct request {
    const char *method, *path;            /* the path is decoded and has no query */
    const struct strmap *query, *headers; /* decoded; names of headers ignore case */
    const char *base;                     /* "http://127.0.0.1:7870": how the client reached us */
};

struct reply {
    int status;
    const char *type;      /* of the content; NULL: there is none */
    struct buf text;       /* the content, unless there is a file */
    int file;              /* -1: none; the taker sets it to -1 */
    int64_t start, size;   /* what to send of the file */
    struct strmap headers; /* more of them */
};

typedef void exchange_fn(void *ctx);

/* READY is called once, from exchange_end() or from site_work(). */
struct exchange *exchange_new(struct site *s, const struct request *request, exchange_fn *ready,
                              void *ctx);
void exchange_body(struct exchange *x, struct slice bytes);
void exchange_end(struct exchange *x);
struct reply *exchange_reply(struct exchange *x);   /* once it is ready; borrowed */
struct exchange *exchange_free(struct exchange *x); /* at any time; returns NULL */
