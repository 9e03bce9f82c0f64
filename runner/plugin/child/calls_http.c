/* ostler.http/1: the runner makes the request, and the answer's body comes as a file of the job's. */
#include "plugin/child/calls.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/http.h"

#include <fcntl.h>
#include <unistd.h>

enum { BODY_MAX = 16 << 20 };

/* As much of the file as a plugin may have in memory. */
static ost_status read_body(struct ost_step *step, const char *path, struct ost_http_response *ret)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct buf body = BUF_INIT(HTTP_ANSWER_MAX);
    struct err err = ERR_INIT;
    int r = fd < 0 ? err_sys(&err, "cannot open '%s'", path) : fd_read_all(fd, &body, &err);

    if (r < 0) {
        buf_deinit(&body);
        return calls_failed(step, OST_E_IO, err.text);
    }
    ret->body_size = body.len;
    ret->body = buf_take(&body); /* phase memory */
    return OST_OK;
}

static ost_status ask(struct ost_step *step, const struct ost_http_request *q, const char *path,
                      json_t **ret)
{
    CLEANUP(buf_deinit) struct buf body = BUF_INIT(2 * BODY_MAX);
    CLEANUP(free_ptr) char *dir = mem_dup(path, (size_t)(path_base(path) - path));

    if (q->body)
        base64_url(&body, slice_make(q->body, q->body_size));
    return calls_transfer(
        step, "http.fetch",
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:I, s:I}", "method",
                  q->method ? q->method : "GET", "url", q->url ? q->url : "", "dir", dir, "name",
                  path_base(path), "headers", calls_texts(q->headers), "body", body.ptr, "retries",
                  (int)(q->retries > 10 ? 10 : q->retries), "timeout_ms", (json_int_t)q->timeout_ms,
                  "max", q->save_to ? (json_int_t)INT64_MAX : (json_int_t)HTTP_ANSWER_MAX),
        ret);
}

/* A relative path begins where the plugin does. */
static char *whole_path(struct ost_step *step, const char *path)
{
    return path_join(calls_start(step)->cwd, path);
}

static ost_status fetch(struct ost_step *step, const struct ost_http_request *theirs,
                        struct ost_http_response *ret)
{
    struct ost_http_request q = {0};
    struct ost_http_response got = {.body = "", .headers = ""};
    json_t *answer = NULL;

    if (!theirs || theirs->struct_size < sizeof theirs->struct_size)
        return calls_failed(step, OST_E_INVALID, "fetch: the request has no struct_size");
    memcpy(&q, theirs, theirs->struct_size < sizeof q ? theirs->struct_size : sizeof q);
    if (q.body && q.body_size > BODY_MAX)
        return calls_failed(step, OST_E_LIMIT, "fetch: the body is larger than 16 MiB");
    bool plan = calls_start(step)->plan;
    const char *temp = q.save_to || plan ? NULL : calls_host.temp(step, ".http");
    if (!q.save_to && !plan && !temp)
        return OST_E_IO;
    CLEANUP(free_ptr) char *path = whole_path(step, q.save_to ? q.save_to : temp ? temp : "/");
    ost_status r = ask(step, &q, path, &answer);
    got.status = (int32_t)json_integer_value(json_object_get(answer, "status"));
    if (json_string_value(json_object_get(answer, "headers")))
        got.headers = json_string_value(json_object_get(answer, "headers"));
    if (r == OST_OK && temp)
        r = read_body(step, temp, &got);
    if (temp)
        (void)unlink(temp);
    if (r == OST_OK && ret && ret->struct_size >= sizeof ret->struct_size) {
        got.struct_size = ret->struct_size;
        memcpy(ret, &got, ret->struct_size < sizeof got ? ret->struct_size : sizeof got);
    }
    return r;
}

const struct ost_http_v1 calls_http = {
    .struct_size = sizeof calls_http,
    .fetch = fetch,
};
