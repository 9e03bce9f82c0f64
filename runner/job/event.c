#include "job/event.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/uio.h>

/* ---- writing ---- */

/* Writes all of PARTS, which it changes on the way. A descriptor that does not block is waited for. */
static int write_all(int fd, struct iovec *parts, int n, struct err *err)
{
    while (n > 0) {
        ssize_t done = writev(fd, parts, n);

        if (done < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};

            if (poll(&p, 1, -1) < 0 && errno != EINTR)
                return err_sys(err, "cannot wait for the reader of the events");
            continue;
        }
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_sys(err, "cannot write an event");
        for (; n > 0 && (size_t)done >= parts->iov_len; n--, parts++)
            done -= (ssize_t)parts->iov_len;
        if (n > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return ERR_OK;
}

static int add_json(const char *text, size_t size, void *to)
{
    buf_add(to, slice_make(text, size));
    return ((struct buf *)to)->overflow ? -1 : 0;
}

void event_writer_init(struct event_writer *w, int fd, const char *job)
{
    *w = (struct event_writer){.fd = fd, .job = job, .log_head = BUF_INIT(EVENT_HEAD_MAX)};
    buf_add_str(&w->log_head, "{\"event\":\"log\",");
    if (job) {
        json_t *name = json_string(job);

        if (!name)
            BUG("a job's key that is not UTF-8");
        buf_add_str(&w->log_head, "\"job\":");
        (void)json_dump_callback(name, add_json, &w->log_head, JSON_COMPACT | JSON_ENCODE_ANY);
        buf_add_char(&w->log_head, ',');
        json_decref(name);
    }
}

void event_writer_deinit(struct event_writer *w)
{
    buf_deinit(&w->log_head);
}

json_t *event_text_new(const char *text)
{
    struct buf clean = BUF_INIT(3 * strlen(text) + 1);

    utf8_clean(slice_of(text), &clean);
    json_t *json = json_stringn(clean.ptr ? clean.ptr : "", clean.len);
    buf_deinit(&clean);
    return json;
}

int event_emit(struct event_writer *w, json_t *event, struct err *err)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(EVENT_HEAD_MAX);

    if (w->job)
        (void)json_object_set_new(event, "job", json_string(w->job));
    int r = json_dump_callback(event, add_json, &line, JSON_COMPACT);
    json_decref(event);
    buf_add_char(&line, '\n');
    if (buf_check(&line, "an event", err) < 0)
        return err->code;
    if (r < 0)
        return err_set(err, ERR_INVALID, "cannot write an event: a text in it is not UTF-8");
    struct iovec part = {.iov_base = line.ptr, .iov_len = line.len};
    return write_all(w->fd, &part, 1, err);
}

int event_emit_log(struct event_writer *w, int step, struct slice lines, bool part, struct err *err)
{
    char tail[160], stamp[CLOCK_STAMP_SIZE];

    if (lines.len == 0)
        return ERR_OK;
    if (lines.len > EVENT_LOG_MAX)
        BUG("a log event of %zu bytes", lines.len);
    clock_stamp(stamp);
    int n = snprintf(tail, sizeof tail, "\"step\":%d,\"time\":\"%s\",\"size\":%zu%s}\n", step,
                     stamp, lines.len, part ? ",\"part\":true" : "");
    char *payload;
    memcpy(&payload, &lines.ptr, sizeof payload); /* iovec knows no const */
    struct iovec parts[] = {
        {.iov_base = w->log_head.ptr, .iov_len = w->log_head.len},
        {.iov_base = tail, .iov_len = (size_t)n},
        {.iov_base = payload, .iov_len = lines.len},
    };
    return write_all(w->fd, parts, (int)COUNT_OF(parts), err);
}

/* ---- reading ---- */

void event_reader_init(struct event_reader *r, event_fn *fn, void *ctx)
{
    *r = (struct event_reader){
        .in = BUF_INIT((size_t)EVENT_HEAD_MAX + EVENT_LOG_MAX), .fn = fn, .ctx = ctx};
}

void event_reader_deinit(struct event_reader *r)
{
    buf_deinit(&r->in);
}

bool event_reader_at_boundary(const struct event_reader *r)
{
    return r->in.len == 0;
}

/* The length of what follows the line of EVENT. */
static int payload_size(const json_t *event, size_t *ret, struct err *err)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    json_t *size = json_object_get(event, "size");

    if (!name)
        return err_set(err, ERR_INVALID, "not an event: it has no member 'event'");
    if (strcmp(name, "log") != 0) {
        *ret = 0;
        return ERR_OK;
    }
    json_int_t n = json_integer_value(size);
    if (!json_is_integer(size) || n < 0)
        return err_set(err, ERR_INVALID, "a log event without a valid 'size'");
    if (n > EVENT_LOG_MAX)
        return err_set(err, ERR_LIMIT, "a log event of %lld bytes: at most %d are allowed",
                       (long long)n, (int)EVENT_LOG_MAX);
    *ret = (size_t)n;
    return ERR_OK;
}

/* Handles the event at the start of DATA. *RET: its whole length, 0: it is not all there yet. */
static int read_one(struct event_reader *r, struct slice data, size_t *ret, struct err *err)
{
    ssize_t end = slice_find_char(data, '\n');
    json_error_t where;
    size_t payload = 0;

    *ret = 0;
    if (end > EVENT_HEAD_MAX || (end < 0 && data.len > EVENT_HEAD_MAX))
        return err_set(err, ERR_LIMIT, "an event of more than %d bytes", (int)EVENT_HEAD_MAX);
    if (end < 0)
        return ERR_OK;
    json_t *event = json_loadb(data.ptr, (size_t)end, JSON_ALLOW_NUL, &where);
    if (!json_is_object(event)) {
        json_decref(event);
        return err_set(err, ERR_INVALID, "not an event: %s", event ? "no object" : where.text);
    }
    struct slice rest = slice_from(data, (size_t)end + 1);
    int code = payload_size(event, &payload, err);
    if (code == ERR_OK && payload <= rest.len) {
        code = r->fn(r->ctx, event, slice_head(rest, payload), err);
        *ret = (size_t)end + 1 + payload;
    }
    json_decref(event);
    return code;
}

/* Handles the whole events of DATA; *RET_USED of its bytes are done with, on an error too. */
static int read_some(struct event_reader *r, struct slice data, size_t *ret_used, struct err *err)
{
    size_t used = 0, one;
    int code;

    do {
        code = read_one(r, slice_from(data, used), &one, err);
        used += one;
    } while (code >= 0 && one && used < data.len);
    *ret_used = used;
    return code < 0 ? code : ERR_OK;
}

int event_reader_feed(struct event_reader *r, struct slice bytes, struct err *err)
{
    size_t used;
    int code;

    if (bytes.len == 0)
        return ERR_OK;
    if (r->in.len == 0) { /* whole events are read where they lie */
        code = read_some(r, bytes, &used, err);
        buf_add(&r->in, slice_from(bytes, used));
    } else {
        buf_add(&r->in, bytes);
        if (buf_check(&r->in, "an event", err) < 0)
            return err->code;
        code = read_some(r, buf_slice(&r->in), &used, err);
        buf_consume(&r->in, used);
    }
    return code;
}
