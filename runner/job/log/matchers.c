#include "job/log/matchers.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"
#include "base/vec.h"

struct entry {
    uint64_t id; /* never given twice, while addresses are */
    struct matcher *matcher;
};

struct entries {
    VEC(struct entry) list;
};

struct matchers {
    struct matchers_spec spec;
    VEC(struct entry) list; /* newest first */
    uint64_t version;       /* changes with the list; the last id that was given, too */
};

struct matchers *matchers_new(const struct matchers_spec *spec)
{
    struct matchers *m = mem_new(sizeof *m);

    m->spec = *spec;
    if (m->spec.timeout_ms <= 0)
        m->spec.timeout_ms = MATCHERS_TIMEOUT_MS;
    return m;
}

struct matchers *matchers_free(struct matchers *m)
{
    if (!m)
        return NULL;
    VEC_EACH (e, &m->list)
        matcher_free(e->matcher);
    vec_deinit(&m->list);
    free(m);
    return NULL;
}

bool matchers_any(const struct matchers *m)
{
    return m && m->list.len > 0;
}

/* ---- configuration files ---- */

static void entries_deinit(struct entries *e)
{
    VEC_EACH (one, &e->list)
        matcher_free(one->matcher);
    vec_deinit(&e->list);
}

/* The matchers in a file, checked one by one and against each other. */
static int read_all(const json_t *list, struct entries *ret, struct err *err)
{
    if (list && !json_is_null(list) && !json_is_array(list))
        return err_set(err, ERR_INVALID, "'problemMatcher' must be a list");
    if (json_array_size(list) > MATCHERS_MAX)
        return err_set(err, ERR_LIMIT, "it has more than %d matchers", MATCHERS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct entry new = {0};
        int r = matcher_new(json_array_get(list, i), &new.matcher, err);

        if (r < 0)
            return r;
        const char *owner = matcher_owner(new.matcher);
        VEC_EACH (e, &ret->list) {
            if (!slice_eq_nocase(slice_of(matcher_owner(e->matcher)), slice_of(owner)))
                continue;
            (void)err_set(err, ERR_INVALID, "the owner '%.60s' is there twice", owner);
            matcher_free(new.matcher);
            return ERR_INVALID;
        }
        vec_push(&ret->list, new);
    }
    return ERR_OK;
}

static void json_free(json_t **json)
{
    json_decref(*json);
}

static int read_file(struct slice text, struct entries *ret, struct err *err)
{
    json_error_t error;

    if (text.len > MATCHERS_FILE_MAX)
        return err_set(err, ERR_LIMIT, "it is larger than %d bytes", MATCHERS_FILE_MAX);
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) /* editors on Windows */
        text = slice_from(text, 3);
    CLEANUP(json_free)
    json_t *json = json_loadb(text.len ? text.ptr : "", text.len, 0, &error);
    if (!json)
        return err_set(err, ERR_INVALID, "line %d, column %d: %s", error.line, error.column,
                       error.text);
    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "it must be an object with 'problemMatcher'");
    return read_all(json_object_get(json, "problemMatcher"), ret, err);
}

static void list_owners(const struct entries *e, struct buf *to)
{
    VEC_EACH (one, &e->list)
        buf_printf(to, "%s'%s'", to->len ? ", " : "", matcher_owner(one->matcher));
}

void matchers_remove(struct matchers *m, struct slice owner)
{
    for (size_t i = 0; i < m->list.len; i++) {
        if (!slice_eq_nocase(slice_of(matcher_owner(m->list.ptr[i].matcher)), owner))
            continue;
        matcher_free(m->list.ptr[i].matcher);
        vec_remove(&m->list, i);
        m->version++;
        return; /* owners are distinct */
    }
}

int matchers_add(struct matchers *m, struct slice json, struct buf *owners, struct err *err)
{
    CLEANUP(entries_deinit) struct entries all = {0};
    size_t kept = m->list.len;
    int r = read_file(json, &all, err);

    if (r < 0)
        return r;
    VEC_EACH (old, &m->list)
        VEC_EACH (new, &all.list)
            if (slice_eq_nocase(slice_of(matcher_owner(old->matcher)),
                                slice_of(matcher_owner(new->matcher))))
                kept--;
    if (kept + all.list.len > MATCHERS_MAX)
        return err_set(err, ERR_LIMIT, "a job may have %d matchers", MATCHERS_MAX);
    list_owners(&all, owners);
    VEC_EACH (new, &all.list) {
        matchers_remove(m, slice_of(matcher_owner(new->matcher)));
        new->id = ++m->version;
    }
    VEC_EACH (old, &m->list)
        vec_push(&all.list, *old);
    m->list.len = 0;
    VEC_EACH (one, &all.list)
        vec_push(&m->list, *one);
    all.list.len = 0; /* they belong to the job now */
    return ERR_OK;
}

int matchers_remove_all(struct matchers *m, struct slice json, struct buf *owners, struct err *err)
{
    CLEANUP(entries_deinit) struct entries all = {0};
    int r = read_file(json, &all, err);

    if (r < 0)
        return r;
    list_owners(&all, owners);
    VEC_EACH (one, &all.list)
        matchers_remove(m, slice_of(matcher_owner(one->matcher)));
    return ERR_OK;
}

/* ---- time spans ---- */

/* The digits at the start of *TEXT, taken off it: 0 to MAX; -1: something else. */
static int64_t take_number(struct slice *text, int64_t max)
{
    struct err ignored = ERR_INIT; /* no number, no time span */
    size_t n = 0;
    int64_t value = -1;

    while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9')
        n++;
    if (num_parse_i64(slice_head(*text, n), 0, max, &value, &ignored) < 0)
        return -1;
    *text = slice_from(*text, n);
    return value;
}

static bool take_char(struct slice *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

/* [days.]hours:minutes[:seconds[.fraction]], or days alone. */
int64_t matchers_timeout(struct slice text)
{
    int64_t days = 0, hours, minutes, seconds = 0, fraction = 0;
    const int64_t most_days = 10000;

    text = slice_trim(text);
    hours = take_number(&text, most_days);
    if (hours >= 0 && text.len == 0)
        return hours * 24 * 3600 * 1000;
    if (take_char(&text, '.')) {
        days = hours;
        hours = take_number(&text, 23);
    }
    if (days < 0 || hours < 0 || hours > 23 || !take_char(&text, ':'))
        return 0;
    minutes = take_number(&text, 59);
    if (take_char(&text, ':'))
        seconds = take_number(&text, 59);
    if (take_char(&text, '.')) {
        size_t digits = text.len;

        fraction = take_number(&text, 9999999);
        for (; digits < 7 && fraction > 0; digits++)
            fraction *= 10;
    }
    if (minutes < 0 || seconds < 0 || fraction < 0 || text.len)
        return 0;
    int64_t ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
    return ms + (fraction + 9999) / 10000; /* ten millionths; less than a ms is one */
}

/* ---- colours ---- */

/* How long the sequence is that TEXT begins with, after ESC [; 0: none that colours or erases. */
static size_t colour_length(struct slice text)
{
    size_t n = 0;

    while (n < text.len && ((text.ptr[n] >= '0' && text.ptr[n] <= '9') || text.ptr[n] == ';'))
        n++;
    return n < text.len && (text.ptr[n] == 'm' || text.ptr[n] == 'K') ? n + 1 : 0;
}

struct slice matchers_plain(struct slice line, struct buf *out)
{
    static const struct slice begin = SLICE_INIT("\x1b[");
    ssize_t at = slice_find(line, begin);

    if (at < 0)
        return line;
    buf_clear(out);
    for (; at >= 0; at = slice_find(line, begin)) {
        size_t len = colour_length(slice_from(line, (size_t)at + begin.len));

        buf_add(out, slice_head(line, (size_t)at + (len ? 0 : begin.len)));
        line = slice_from(line, (size_t)at + begin.len + len);
    }
    buf_add(out, line);
    return buf_slice(out);
}

/* ---- what a match means ---- */

struct notes {
    scan_note_fn *fn;
    void *ctx;
};

static void tell(const struct notes *n, bool warning, const char *what, struct slice subject,
                 const char *why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8 << 10);

    buf_printf(&text, "%s '%.*s'%s", what, SLICE_ARG(slice_head(subject, 4096)), why);
    n->fn(n->ctx, warning, text.ptr);
}

static bool find_level(struct slice severity, enum annotation_level *ret)
{
    if (severity.len == 0)
        severity = SLICE("error");
    for (enum annotation_level l = 0; l < ANNOTATION_LEVELS; l++) {
        if (!slice_eq_nocase(severity, slice_of(annotation_name(l))))
            continue;
        *ret = l;
        return true;
    }
    return false;
}

static int64_t position(const struct notes *n, const char *name, struct slice text)
{
    struct err ignored = ERR_INIT; /* told in the words that GitHub's users know */
    int64_t value = 0;

    if (text.len && num_parse_i64(text, 0, INT32_MAX, &value, &ignored) < 0)
        tell(n, false, name, text, "");
    return value;
}

/* False: it is no issue, and the next matcher may have the line. */
static bool judge(const struct match *m, const struct notes *n, struct finding *ret)
{
    const struct slice *f = m->fields;
    enum annotation_level level;

    if (slice_trim(f[MATCH_MESSAGE]).len == 0) {
        n->fn(n->ctx, false,
              "Skipping logging an issue for the matched line because the message is empty.");
        return false;
    }
    if (!find_level(f[MATCH_SEVERITY], &level)) {
        tell(n, false, "Skipped logging an issue for the matched line because the severity",
             f[MATCH_SEVERITY], " is not supported.");
        return false;
    }
    *ret = (struct finding){
        .annotation =
            {
                .level = level,
                .message = f[MATCH_MESSAGE],
                .file = slice_trim(f[MATCH_FILE]).len ? f[MATCH_FILE] : SLICE(""),
                .code = slice_trim(f[MATCH_CODE]),
                .line = position(n, "Unable to parse line number", f[MATCH_LINE]),
                .col = position(n, "Unable to parse column number", f[MATCH_COLUMN]),
            },
        .from_path = f[MATCH_FROM_PATH],
    };
    return true;
}

void matchers_place(const struct matchers *m, struct finding *f, struct buf *out,
                    scan_note_fn *note, void *ctx)
{
    const struct notes n = {note, ctx};
    struct err err = ERR_INIT;

    if (f->annotation.file.len == 0 || !m->spec.locate)
        return;
    buf_clear(out);
    if (m->spec.locate(m->spec.ctx, f, out, &err) == ERR_OK) {
        f->annotation.file = buf_slice(out);
        return;
    }
    CLEANUP(buf_deinit) struct buf why = BUF_INIT(ERR_TEXT_SIZE + 8);
    buf_printf(&why, ": %s", err.text);
    tell(&n, false, "Dropping file value", f->annotation.file, why.ptr);
    f->annotation.file = SLICE("");
}

/* ---- one stream of a step ---- */

struct follower {
    uint64_t id;
    struct matcher *matcher;
    struct progress *progress;
};

struct scan {
    struct matchers *matchers;
    VEC(struct follower) list; /* as that of the matchers was at VERSION */
    uint64_t version;
};

struct scan *scan_new(struct matchers *m)
{
    struct scan *s = mem_new(sizeof *s);

    s->matchers = m;
    return s;
}

struct scan *scan_free(struct scan *s)
{
    if (!s)
        return NULL;
    VEC_EACH (f, &s->list)
        progress_free(f->progress);
    vec_deinit(&s->list);
    free(s);
    return NULL;
}

/* Takes the progress of the matcher ID out of the list; NULL: there is none. */
static struct progress *take_progress(struct scan *s, uint64_t id)
{
    VEC_EACH (f, &s->list) {
        struct progress *p = f->progress;

        if (f->id != id)
            continue;
        f->progress = NULL;
        return p;
    }
    return NULL;
}

/* Matchers came or went: those that stayed go on where they are. */
static void follow(struct scan *s)
{
    struct scan now = {.matchers = s->matchers, .version = s->matchers->version};

    if (s->version == now.version)
        return;
    VEC_EACH (e, &s->matchers->list) {
        struct progress *p = take_progress(s, e->id);

        vec_push(&now.list, (struct follower){e->id, e->matcher, p ? p : progress_new(e->matcher)});
    }
    VEC_EACH (f, &s->list)
        progress_free(f->progress);
    vec_deinit(&s->list);
    *s = now;
}

/* Gives the matcher of F a few attempts at the line. REGEX_TIMEOUT: it used them up, and is to go. */
static enum regex_result attempt(struct scan *s, struct follower *f, struct slice line,
                                 const struct notes *n, struct match *ret)
{
    struct slice owner = slice_of(matcher_owner(f->matcher));

    for (int i = 0; i < MATCHERS_ATTEMPTS; i++) {
        enum regex_result r = matcher_feed(f->matcher, f->progress, line,
                                           clock_ms() + s->matchers->spec.timeout_ms, ret);

        if (r != REGEX_TIMEOUT)
            return r;
        tell(n, false, "Timeout processing issue matcher", owner, "");
    }
    tell(n, true, "Removing issue matcher", owner,
         ": it took too long for a line 3 times; make its 'regexp' simpler");
    return REGEX_TIMEOUT;
}

bool scan_line(struct scan *s, struct slice line, scan_note_fn *note, void *ctx,
               struct finding *ret)
{
    const struct notes n = {note, ctx};
    bool issue = false;

    if (utf8_valid(line) !=
        line.len) /* the log feeds none such; the matching must be safe anyway */
        return false;
    follow(s);
    for (size_t next = 0; next < s->list.len && !issue;) {
        struct follower *f = &s->list.ptr[next];
        struct match found;
        enum regex_result r = attempt(s, f, line, &n, &found);

        if (r == REGEX_TIMEOUT) {
            matchers_remove(s->matchers, slice_of(matcher_owner(f->matcher)));
            progress_free(f->progress);
            vec_remove(&s->list, next);
            s->version = s->matchers->version;
            continue;
        }
        next++;
        if (r == REGEX_MISS)
            continue;
        VEC_EACH (other, &s->list)
            if (other != f)
                progress_reset(other->progress);
        issue = judge(&found, &n, ret);
    }
    return issue;
}
