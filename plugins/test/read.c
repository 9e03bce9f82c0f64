#include "read.h"

#include "../lib/beneath.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct reader *reader_new(struct ost_step *step, const struct format *format, struct results *to)
{
    struct reader *r = step->host->alloc(step, sizeof *r);

    *r = (struct reader){.step = step, .to = to, .format = format};
    r->state = step->host->alloc(step, format->state_size ? format->state_size : 1);
    memset(r->state, 0, format->state_size);
    if (!format->bytes)
        r->partial = step->host->alloc(step, READ_LINE_MAX);
    if (format->begin)
        format->begin(r);
    return r;
}

static void end_line(struct reader *r)
{
    struct span line = {r->partial, r->n_partial};

    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    r->n_partial = 0;
    r->too_long = false;
    r->format->line(r, line);
}

/* A piece of a line. */
static void add_piece(struct reader *r, struct span s)
{
    size_t room = READ_LINE_MAX - r->n_partial, n = s.size < room ? s.size : room;

    if (n > 0)
        memcpy(r->partial + r->n_partial, s.at, n);
    r->n_partial += n;
    r->too_long |= n < s.size;
}

void reader_feed(struct reader *r, struct span bytes, int64_t now_ns)
{
    struct span piece;

    r->now_ns = now_ns;
    if (r->format->bytes) {
        r->format->bytes(r, bytes);
        return;
    }
    while (span_eat_until(&bytes, '\n', &piece)) {
        add_piece(r, piece);
        end_line(r);
    }
    add_piece(r, bytes);
}

const char *reader_end(struct reader *r)
{
    if (r->n_partial > 0)
        end_line(r);
    r->format->end(r);
    return r->trouble;
}

/* ---- files ---- */

static bool has_line(struct span s, const char *prefix)
{
    struct span line;

    while (span_line(&s, &line))
        if (span_starts(span_trim(line), prefix))
            return true;
    return false;
}

const struct format *format_find(struct span head)
{
    struct span s = head;

    span_eat(&s, "\xef\xbb\xbf");
    s = span_trim(s);
    if (span_starts(s, "<") || span_starts(s, "\xff\xfe") || span_starts(s, "\xfe\xff"))
        return &format_junit;
    if (span_starts(s, "{"))
        return span_find(s, "\"Action\"") != SIZE_MAX ? &format_go : &format_jest;
    if (has_line(s, "TAP version ") || has_line(s, "1..") || has_line(s, "ok 1") ||
        has_line(s, "not ok 1"))
        return &format_tap;
    if (has_line(s, "test result: ") || (has_line(s, "running ") && has_line(s, "test ")))
        return &format_cargo;
    return has_line(s, "Ran ") || span_find(s, " ... ok\n") != SIZE_MAX ? &format_unittest : NULL;
}

static ssize_t read_some(int fd, char *to, size_t size)
{
    ssize_t n;

    do
        n = read(fd, to, size);
    while (n < 0 && errno == EINTR);
    return n;
}

const char *read_file(struct ost_step *step, const char *path, struct results *to)
{
    enum { PORTION = 1 << 16 };
    char *portion = step->host->alloc(step, PORTION);
    const struct format *format;
    const char *why = NULL;
    struct reader *r;
    uint64_t size = 0;
    ssize_t n;
    int fd = beneath_open_file(step, path, READ_REPORT_MAX, &why);

    if (fd < 0)
        return why;
    n = read_some(fd, portion, PORTION);
    format = n > 0 ? format_find((struct span){portion, (size_t)n}) : NULL;
    if (!format) {
        close(fd);
        return n > 0    ? "it is neither JUnit XML, TAP, nor the output of a test tool known here"
               : n == 0 ? "it is empty"
                        : "it cannot be read";
    }
    r = reader_new(step, format, to);
    for (; n > 0 && !r->trouble; n = read_some(fd, portion, PORTION)) {
        reader_feed(r, (struct span){portion, (size_t)n}, 0);
        if ((size += (uint64_t)n) > READ_REPORT_MAX) /* it grows while it is read */
            r->trouble = "it does not end";
    }
    close(fd);
    why = reader_end(r);
    return why ? ost_fmt(step, "as %s: %s", format->name, why) : NULL;
}

/* ---- numbers ---- */

/* Digits, with commas between thousands, and a fraction; in units of UNIT_NS. */
static int64_t time_parse(struct span s, int64_t unit_ns)
{
    int64_t ns = 0;
    bool digits = false;
    size_t i = 0;

    s = span_trim(s);
    for (; i < s.size && ((s.at[i] >= '0' && s.at[i] <= '9') || s.at[i] == ','); i++) {
        if (s.at[i] == ',')
            continue;
        digits = true;
        if (ns < INT64_MAX / unit_ns / 20)
            ns = ns * 10 + (s.at[i] - '0');
    }
    ns *= unit_ns;
    if (i < s.size && s.at[i] == '.')
        for (i++; i < s.size && s.at[i] >= '0' && s.at[i] <= '9'; i++) {
            unit_ns /= 10;
            ns += unit_ns * (s.at[i] - '0');
            digits = true;
        }
    if (i + 1 < s.size && (s.at[i] | 32) == 'e' && s.at[i + 1] == '-')
        return 0; /* 1.2e-05: less than anybody counts */
    return digits ? ns : -1;
}

int64_t seconds_parse(struct span s)
{
    return time_parse(s, 1000000000);
}

int64_t millis_parse(struct span s)
{
    return time_parse(s, 1000000);
}
