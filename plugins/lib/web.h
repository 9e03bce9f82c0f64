/* web - requests over the network for plugins with OST_NEED_NETWORK, by libcurl: many at once, out of files and into
 * files, tried again where that is safe. The only module of the plugins that knows libcurl; link PkgConfig::CURL.
 * For a plain request there is ostler.http/1, which takes no library.
 *
 *     struct web *web = web_new(&(struct web_spec){.step = step, .env = job_environment});
 *     struct web_answer a;
 *     ost_status r = web_do(web, &(struct web_request){.url = "https://example.org/x"}, &a);
 *     web_free(web);
 *
 * A web belongs to one thread. Of the environment nothing is read that is not in the spec: a plugin has none, the
 * job's has to be asked for. Addresses of requests never go into the log, only their hosts: the rest may be signed. */
#pragma once

#include "text.h"

struct web;      /* a client: its connections are kept between requests */
struct web_call; /* a request under way */

enum {
    WEB_ANSWER_MAX = 8 << 20, /* bytes of an answer in memory */
    WEB_HEADERS_MAX = 64 << 10,
    WEB_URL_MAX = 16 << 10,
    WEB_REDIRECTS_MAX = 10,
    WEB_TRIES = 5,             /* of a request, the first included */
    WEB_WAIT_MAX_MS = 60000,   /* between two tries */
    WEB_RETRY_ALL_MS = 600000, /* after that no further try is begun */
    WEB_CONNECT_MS = 10000,
    WEB_SLOW_BYTES = 1 << 10, /* a second; slower for WEB_SLOW_SECONDS: the connection is broken */
    WEB_SLOW_SECONDS = 60,
};

struct web_spec { /* all is borrowed until web_free() */
    struct ost_step *step;
    const char *agent; /* User-Agent; NULL: "ostler" */
    /* The job's environment, "NAME=value", NULL-terminated; NULL: none. http_proxy, https_proxy, all_proxy, no_proxy
     * (each also in capitals) and SSL_CERT_FILE count. */
    const char *const *env;
    unsigned connections; /* to one host at once; 0: 4 */
    unsigned backoff_ms;  /* before the second try, each time doubled, and jittered; 0: 1000 */
};

struct web *web_new(const struct web_spec *spec); /* NULL: recorded as the failure */
/* Drops what is under way without a word. Returns NULL; NULL does nothing. */
struct web *web_free(struct web *w);

/* ---- requests ---- */

struct web_answer {
    /* OST_OK: there is an answer, of whatever status. Else OST_E_IO, _TIMEOUT, _LIMIT, _INVALID (that is no address) or
     * _CANCELLED, and WHY. */
    ost_status error;
    const char *why;  /* "registry.test:5000: Connection refused"; NULL when there is an answer */
    bool untrusted;   /* that was because of the server's certificate */
    int status;       /* of HTTP; of SMTP the last code */
    struct span body; /* NUL-terminated; empty when it went to a file */
    struct span headers; /* as they came, of the last answer in a row of redirects */
    const char *url;     /* that was asked in the end */
    unsigned tries;
};

/* A copy in phase memory, to keep. */
struct web_answer web_keep(struct ost_step *step, const struct web_answer *a);
/* The value of the header NAME; size 0: none. Borrowed. */
struct span web_header(const struct web_answer *a, const char *name);
/* How long to wait before asking again after A, when TRIES have failed: its Retry-After, or longer each time. For what
 * is WEB_ONCE by itself, but can be begun anew as a whole. */
int64_t web_wait_ms(const struct web *w, const struct web_answer *a, unsigned tries);
/* What a Location of A stands for: resolved against A's url. NULL: that is no address. */
const char *web_resolve(struct ost_step *step, const struct web_answer *a, struct span location);

/* A is borrowed for the call. New requests may be started in it. */
typedef void web_done_fn(void *ctx, const struct web_answer *a);
/* SENT bytes of the body have gone, in this try; not more than some times a second. */
typedef void web_sent_fn(void *ctx, int64_t sent);

enum {
    /* Goes where redirects lead. Headers but Accept, Content-Type and Range, and user and password, stay behind when
     * scheme, host or port change; https never becomes http; what has a body follows 307 and 308 alone. */
    WEB_FOLLOW = 1 << 0,
    WEB_ONCE = 1 << 1,     /* one try: it is not safe to repeat */
    WEB_INSECURE = 1 << 2, /* any certificate will do */
    WEB_CHUNKED = 1 << 3,  /* send the body without its size in front */
    WEB_ANYWAY = 1 << 4,   /* also after a cancel: for tidying up */
};

struct web_mail { /* smtp:// and smtps://: the body is the message */
    const char *from;
    const char *const *to; /* NULL-terminated */
    bool plain;            /* go on without TLS if the server has none */
};

/* Works when zeroed but for URL. Texts, and a body in memory, are borrowed until it ends. */
struct web_request {
    const char *method;         /* NULL: GET */
    const char *url;            /* http://, https://, smtp://, smtps:// */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const void *body;           /* BODY_SIZE bytes; or: */
    int body_fd;                /* BODY_SIZE bytes of it from BODY_AT on, by pread(); 0: none */
    int64_t body_at, body_size;
    int to_fd;        /* an answer of 200 to 299 goes to it, from its start; 0: into memory */
    const char *user; /* and PASSWORD: of SMTP, or of SIGV4; for Basic see web_basic() */
    const char *password;
    const char *sigv4;   /* "aws:amz:eu-central-1:s3"; NULL: none. The payload's hash is a header */
    const char *ca_file; /* PEM, besides the system's; NULL: SSL_CERT_FILE of the environment */
    const struct web_mail *mail;
    unsigned flags, tries; /* tries 0: WEB_TRIES, after 429, 500, 502, 503, 504 and no answer */
    int64_t total_ms;      /* of one try; 0: only the limits above */
    int64_t delay_ms;      /* until the first try */
    web_sent_fn *sent;
    void *ctx; /* of SENT and DONE */
};

/* "Authorization: Basic ..." in phase memory, masked. OST_E_ codes of the host's mask(). */
ost_status web_basic(struct ost_step *step, const char *user, const char *password,
                     const char **ret);

/* Begins Q; DONE is called once, from web_turn(), unless the call is dropped first. */
struct web_call *web_start(struct web *w, const struct web_request *q, web_done_fn *done);
/* Without a word. Returns NULL; NULL does nothing. */
struct web_call *web_drop(struct web_call *c);
void web_drop_all(struct web *w);

size_t web_busy(const struct web *w); /* requests under way or waiting for their next try */

/* Does what there is to do and waits for more, TIMEOUT_MS at most (-1: no limit), or until WAKE_FD (-1: none) can be
 * read, or the step is cancelled: what is under way then ends with OST_E_CANCELLED but for WEB_ANYWAY. */
void web_turn(struct web *w, int64_t timeout_ms, int wake_fd);

/* Does Q alone. RET's texts are in phase memory. Returns RET->error; the words of it are not recorded yet. */
ost_status web_do(struct web *w, const struct web_request *q, struct web_answer *ret);
