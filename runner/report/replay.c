/* A recorded run, read again. */
#include "report/report.h"
#include "report/runs.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    REPLAY_READ = 64 << 10,
    REPLAY_LINE_MAX = EVENT_HEAD_MAX + 4096,
    REPLAY_LOG_MAX = EVENT_LOG_MAX * (CLOCK_STAMP_SIZE + 1),
};

struct replay {
    int dir;
    struct report *to;
    struct buf stamped, text;
};

/* LENGTH bytes at OFFSET of FILE below the run. */
static int read_piece(const struct replay *p, const char *file, int64_t offset, int64_t length,
                      struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    char *at;

    if (path_open(p->dir, file, O_RDONLY | O_NOFOLLOW, 0, &fd, err) != ERR_OK)
        return err->code;
    buf_clear(to);
    if (length < 0 || offset < 0 || !(at = buf_reserve(to, (size_t)length)))
        return err_set(err, ERR_LIMIT, "a piece of '%s' is too large", file);
    while (to->len < (size_t)length) {
        ssize_t n = pread(fd, to->ptr + to->len, (size_t)length - to->len,
                          (off_t)(offset + (int64_t)to->len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot read '%s'", file);
        if (n == 0)
            return err_set(err, ERR_INVALID, "'%s' is shorter than its events say", file);
        to->len += (size_t)n;
    }
    to->ptr[to->len] = '\0';
    return ERR_OK;
}

/* The lines without their times, and with the line end that a part has lost. */
static void unstamp(struct buf *to, struct slice text, bool continued)
{
    struct slice line;

    buf_clear(to);
    while (slice_line(&text, &line)) {
        buf_add(to, continued ? line : slice_from(line, CLOCK_STAMP_SIZE));
        buf_add_char(to, '\n');
        continued = false;
    }
}

static int replay_log(struct replay *p, json_t *event, struct err *err)
{
    const char *file = json_string_value(json_object_get(event, "file"));
    int64_t offset = json_integer_value(json_object_get(event, "offset"));
    int64_t length = json_integer_value(json_object_get(event, "length"));
    bool continued = json_is_true(json_object_get(event, "continued"));

    if (!file)
        return err_set(err, ERR_INVALID, "a log event names no file");
    if (read_piece(p, file, offset, length, &p->stamped, err) != ERR_OK)
        return err->code;
    unstamp(&p->text, buf_slice(&p->stamped), continued);
    json_object_del(event, "file");
    json_object_del(event, "offset");
    json_object_del(event, "length");
    json_object_del(event, "continued");
    json_object_set_new(event, "size", json_integer((json_int_t)p->text.len));
    return report_event(p->to, event, buf_slice(&p->text), err);
}

static void decref(json_t **j)
{
    json_decref(*j);
}

static int replay_line(struct replay *p, struct slice line, struct err *err)
{
    json_error_t why;
    CLEANUP(decref) json_t *event = json_loadb(line.ptr, line.len, 0, &why);
    const char *name = json_string_value(json_object_get(event, "event"));

    if (!name)
        return err_set(err, ERR_INVALID, "a line is no event: %s", event ? "no name" : why.text);
    if (strcmp(name, "log") == 0)
        return replay_log(p, event, err);
    return report_event(p->to, event, SLICE(""), err);
}

/* Whole lines only: the last one may have been cut off. */
static int replay_lines(struct replay *p, int events, struct err *err)
{
    CLEANUP(buf_deinit) struct buf in = BUF_INIT(REPLAY_LINE_MAX + REPLAY_READ);

    for (;;) {
        struct slice rest, line;
        ssize_t nl, n = fd_read_some(events, &in, REPLAY_READ);

        if (n < 0)
            return err_sys(err, "cannot read '%s'", RUNS_EVENTS);
        if (n == 0)
            return ERR_OK;
        rest = buf_slice(&in);
        while ((nl = slice_find_char(rest, '\n')) >= 0) {
            line = slice_head(rest, (size_t)nl);
            rest = slice_from(rest, (size_t)nl + 1);
            if (replay_line(p, line, err) != ERR_OK)
                return err->code;
        }
        if (rest.len > REPLAY_LINE_MAX)
            return err_set(err, ERR_LIMIT, "an event is longer than %d bytes", REPLAY_LINE_MAX);
        buf_consume(&in, in.len - rest.len);
    }
}

int report_replay(const char *state, const char *id, struct report *to, struct err *err)
{
    struct replay p = {
        .dir = -1, .to = to, .stamped = BUF_INIT(REPLAY_LOG_MAX), .text = BUF_INIT(REPLAY_LOG_MAX)};
    CLEANUP(free_ptr) char *runs = path_join(state, "runs");
    CLEANUP(free_ptr) char *path = NULL;
    CLEANUP(fd_closep) int events = -1;
    struct err ignored = ERR_INIT;
    int64_t number;
    int r;

    if (strcmp(id, "latest") != 0 &&
        num_parse_i64(slice_of(id), 1, INT64_MAX, &number, &ignored) != ERR_OK)
        return err_set(err, ERR_INVALID, "'%s' is no run: a number or 'latest' was expected", id);
    path = path_join(runs, id);
    p.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p.dir < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "no run '%s' in '%s'", id, runs)
                               : err_sys(err, "cannot open '%s'", path);
    if (path_open(p.dir, RUNS_EVENTS, O_RDONLY | O_NOFOLLOW, 0, &events, err) != ERR_OK)
        r = err->code;
    else
        r = replay_lines(&p, events, err);
    fd_closep(&p.dir);
    buf_deinit(&p.stamped);
    buf_deinit(&p.text);
    return r == ERR_OK ? ERR_OK : err_in(err, "run '%s'", id);
}
