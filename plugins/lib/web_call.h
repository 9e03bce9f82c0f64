/* web_call - what the two modules of web share: a client, and a request under way. Private to lib/web*.c: web.c has clients,
 * and what becomes of a request; web_try.c is one try of it. */
#pragma once

#include "web.h"

#define CURL_DISABLE_TYPECHECK   /* our functions are pointers */
#define CURL_DISABLE_DEPRECATION /* what is new in place of the old is not there in Ubuntu 22.04 */
#include <curl/curl.h>

struct web {
    struct web_spec spec;
    CURLM *multi;
    struct web_call *calls;
    size_t n_calls;
    bool cancelled;
};

struct grown { /* text in memory of its own, NUL-terminated once something was added */
    char *data;
    size_t size, limit;
};

struct web_call {
    struct web_call *next;
    struct web *web;
    struct web_request q;
    web_done_fn *done;
    char *url;
    CURL *easy; /* while a try goes on */
    struct curl_slist *headers, *rcpt;
    bool away; /* a redirect has led to another place: what is secret stays behind */
    unsigned tries, redirects;
    int64_t begun_ms, due_ms; /* due: when the next try begins */
    int64_t read, sent_ms;
    struct grown head, body;
    int64_t written; /* to to_fd */
    ost_status error;
    bool untrusted;
    const char *over; /* what to say of ERROR */
    char why[CURL_ERROR_SIZE];
};

int64_t web_now_ms(void); /* monotonic */

/* Hands C to libcurl; false: it has ended before it began. */
bool web_call_try(struct web_call *c);
/* Takes it back, under way or at its end. */
void web_call_let_go(struct web_call *c);
/* Forgets what has come. */
void web_call_clear(struct web_call *c);
/* What it ends with: ERROR, and WHY (kept by the caller). Returns 0, which libcurl takes for "no further". */
size_t web_call_stop(struct web_call *c, ost_status error, const char *why);
/* Of the answer that comes; 0: none yet. */
int web_call_status(const struct web_call *c);
