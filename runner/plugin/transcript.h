/* transcript - the calls of a plugin as lines of JSON: what it asked, and what it was answered. The recorder writes
 * them (child/recorder.h) and the test kit plays them back; both form what is asked here, so that it can be compared.
 *
 *     {"transcript":1,"plugin":"acme/x","version":"1.0.0","phase":"main","with":{"who":"Ada"},
 *      "dirs":{"workspace":"/home/runner/work/plugin/plugin",...}}
 *     {"call":"context","ask":{"name":"github.sha"},"status":0,"answer":{"value":null}}
 *     {"call":"exec","ask":{"argv":["git","version"],"flags":4},"status":0,
 *      "answer":{"exit_code":0,"signal":0,"output":[[1,"git version 2.39.5\n"]]}}
 *     {"call":"output","ask":{"name":"said","value":"Hello"},"status":0}
 *     {"call":"exec","ask":{"argv":["docker","push","a"]},"status":-3,"error":"no such program"}
 *     {"call":"end","status":0}
 *
 * A line is written when its call returns. "ask" has the members of the call's struct or its parameters, by their
 * names; what is 0 or NULL is left out. "answer" is there if the status is 0 and there is something to answer.
 * Texts are UTF-8; other bytes, and NUL, have become U+FFFD. Secrets are "***". */
#pragma once

#include "base/buf.h"

#include <ostler/ext.h>

enum { TRANSCRIPT_VERSION = 1 };
enum {
    TRANSCRIPT_LINE_MAX = 4 << 20
}; /* bytes; a longer line is left out, and missed when it is played */

/* ---- writing: members of an object, a comma in front where there is one already. TO's last character tells. ---- */

void transcript_text(struct buf *to, const char *name, const char *text); /* NULL: left out */
void transcript_bytes(struct buf *to, const char *name, const void *bytes,
                      size_t size);                               /* likewise */
void transcript_int(struct buf *to, const char *name, int64_t n); /* 0: left out */
void transcript_list(struct buf *to, const char *name,
                     const char *const *list);            /* NULL: left out */
void transcript_quote(struct buf *to, struct slice text); /* the text alone */
void transcript_name(struct buf *to, const char *name);   /* "name": of what is written by hand */

/* ---- what is asked: a whole object ---- */

void transcript_exec(struct buf *to, const struct ost_exec *e);
void transcript_http(struct buf *to, const struct ost_http_request *q);
void transcript_cache(struct buf *to, const struct ost_cache_query *q);
void transcript_upload(struct buf *to, const struct ost_artifact_upload *u);
void transcript_download(struct buf *to, const struct ost_artifact_download *d);
void transcript_files(struct buf *to, const char *const *patterns, uint32_t flags);
void transcript_source(struct buf *to, const struct ost_source_query *q);
void transcript_mirror(struct buf *to,
                       const struct ost_mirror_query *q); /* without the header, a secret */
/* Of the calls that have no struct: one or two parameters. Names may be NULL. */
void transcript_pair(struct buf *to, const char *name1, const char *text1, const char *name2,
                     const char *text2);
