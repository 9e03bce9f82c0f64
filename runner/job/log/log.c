#include "job/log/log_state.h"

#include <stdarg.h>

enum {
    FEED_MAX = LOG_LINE_MAX, /* bytes that are looked at in one go */
    MESSAGE_MAX = 64 << 20,  /* one message, masked */
    FORMATTED_MAX = 1 << 20, /* log_printf(), log_issue() */
    GROWTH = 2,              /* masked text is at most twice as long, and a bit: */
    GROWTH_REST = 8,         /* "***" for each second byte */
};

struct log *log_new(const struct log_spec *spec)
{
    static const struct log_handlers none = {0};
    struct log *l = mem_new(sizeof *l);

    l->spec = *spec;
    if (!l->spec.handlers)
        l->spec.handlers = &none;
    if (!l->spec.counts)
        l->spec.counts = &l->counts;
    l->batch = (struct buf)BUF_INIT(EVENT_LOG_MAX);
    l->decoded = (struct buf)BUF_INIT(3 * LOG_LINE_MAX + 16);
    l->scratch = (struct buf)BUF_INIT(MESSAGE_MAX);
    l->plain = (struct buf)BUF_INIT(LOG_LINE_MAX);
    l->masked = (struct buf)BUF_INIT(GROWTH * LOG_LINE_MAX + GROWTH_REST);
    l->token = (struct buf)BUF_INIT(COMMAND_LINE_MAX);
    l->echo = spec->echo;
    command_init(&l->command);
    for (size_t i = 0; i < LOG_STREAMS; i++) {
        l->channels[i].line = (struct buf)BUF_INIT(COMMAND_LINE_MAX + 4 * LOG_LINE_MAX);
        mask_stream_init(&l->channels[i].parts, spec->mask);
    }
    return l;
}

/* Lines may hold secrets before they are masked. */
static void wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->ptr, b->cap);
    buf_deinit(b);
}

struct log *log_free(struct log *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < LOG_STREAMS; i++) {
        wipe(&l->channels[i].line);
        mask_stream_deinit(&l->channels[i].parts);
        scan_free(l->channels[i].scan);
    }
    buf_deinit(&l->batch);
    wipe(&l->decoded);
    buf_deinit(&l->scratch);
    wipe(&l->plain);
    buf_deinit(&l->masked);
    wipe(&l->token);
    command_deinit(&l->command);
    free(l);
    return NULL;
}

bool log_failed(const struct log *l)
{
    return l->failed;
}

bool log_echo(const struct log *l)
{
    return l->echo;
}

/* ---- out: masked text to events ---- */

static void emit(struct log *l, struct slice text, bool part)
{
    if (l->err.code == ERR_OK &&
        event_emit_log(l->spec.events, l->spec.step, text, part, &l->err) < 0)
        buf_clear(&l->batch); /* L->err says it at the next flush */
}

static void emit_batch(struct log *l)
{
    emit(l, buf_slice(&l->batch), false);
    buf_clear(&l->batch);
}

/* Everything that goes out says first whose line it continues. What does not continue the open part
 * ends that line: two pipes cannot share one. */
static void begin(struct log *l, const struct channel *ch)
{
    if (l->open && l->open != ch)
        buf_add_char(&l->batch, '\n');
    l->open = NULL;
}

/* Makes room in the batch for N bytes. */
static void room(struct log *l, size_t n)
{
    if (l->batch.len + n + 1 > EVENT_LOG_MAX)
        emit_batch(l);
}

/* The end of the first bytes of TEXT, LIMIT at most, that may go out as a part. */
static size_t part_end(struct slice text, size_t limit)
{
    while (limit > 0 && (text.ptr[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}

/* Takes masked text of any length, ending in LF. */
static void put_masked(struct log *l, struct slice text)
{
    begin(l, NULL);
    room(l, text.len);
    while (text.len > LOG_LINE_MAX && text.len + 1 > EVENT_LOG_MAX - l->batch.len) {
        const char *end = memrchr(text.ptr, '\n', LOG_LINE_MAX);
        size_t len = end ? (size_t)(end - text.ptr) + 1 : part_end(text, LOG_LINE_MAX);

        emit_batch(l);
        emit(l, slice_head(text, len), !end);
        text = slice_from(text, len);
    }
    buf_add(&l->batch, text);
}

/* Masks LINES (at most LOG_LINE_MAX bytes of them) on their way into the batch. END is added. */
static void put_lines(struct log *l, struct slice lines, bool end)
{
    begin(l, NULL);
    room(l, GROWTH * lines.len + GROWTH_REST);
    mask_apply_lines(l->spec.mask, lines, &l->batch);
    if (end)
        buf_add_char(&l->batch, '\n');
}

void log_put_line(struct log *l, struct slice line)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(MESSAGE_MAX);

    if (line.len <= LOG_LINE_MAX) {
        put_lines(l, line, true);
        return;
    }
    mask_apply_lines(l->spec.mask, line, &out);
    buf_add_char(&out, '\n');
    put_masked(l, buf_slice(&out));
}

int log_flush(struct log *l, struct err *err)
{
    emit_batch(l);
    if (l->err.code != ERR_OK)
        *err = l->err;
    return l->err.code;
}

/* ---- the runner's own lines ---- */

static const struct slice tags[LOG_TAGS] = {
    [LOG_PLAIN] = SLICE_INIT(""),
    [LOG_GROUP] = SLICE_INIT("##[group]"),
    [LOG_ENDGROUP] = SLICE_INIT("##[endgroup]"),
    [LOG_COMMAND] = SLICE_INIT("##[command]"),
    [LOG_SECTION] = SLICE_INIT("##[section]"),
    [LOG_ERROR] = SLICE_INIT("##[error]"),
    [LOG_WARNING] = SLICE_INIT("##[warning]"),
    [LOG_NOTICE] = SLICE_INIT("##[notice]"),
    [LOG_DEBUG] = SLICE_INIT("##[debug]"),
};

/* Masks TEXT as one whole, with the tag in front: the tag itself is never masked. */
static void write_tagged(struct log *l, enum log_tag tag, struct slice text)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(MESSAGE_MAX);
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(MESSAGE_MAX);

    if (utf8_valid(text) != text.len) {
        utf8_clean(text, &clean);
        text = buf_slice(&clean);
    }
    buf_add(&out, tags[tag]);
    mask_apply(l->spec.mask, text, &out);
    buf_add_char(&out, '\n');
    if (out.overflow) {
        buf_clear(&out);
        buf_add_str(&out, "##[warning]a message of more than 64 MiB was left out\n");
    }
    put_masked(l, buf_slice(&out));
}

void log_write(struct log *l, enum log_tag tag, struct slice text)
{
    struct slice line;

    if (tag != LOG_DEBUG) {
        write_tagged(l, tag, text);
        return;
    }
    while (l->spec.debug && slice_line(&text, &line))
        write_tagged(l, LOG_DEBUG, line);
}

void log_printf(struct log *l, enum log_tag tag, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FORMATTED_MAX);
    va_list ap;

    if (tag == LOG_DEBUG && !l->spec.debug)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    log_write(l, tag, buf_slice(&text));
}

/* ---- annotations ---- */

/* TEXT masked (and made valid UTF-8) at the end of OUT. */
static struct slice masked(struct log *l, struct slice text, struct buf *out)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(MESSAGE_MAX);

    utf8_clean(text, &clean);
    buf_clear(out);
    mask_apply(l->spec.mask, buf_slice(&clean), out);
    return buf_slice(out);
}

static void emit_annotation(struct log *l, const struct annotation *a)
{
    CLEANUP(buf_deinit) struct buf message = BUF_INIT(MESSAGE_MAX);
    CLEANUP(buf_deinit) struct buf title = BUF_INIT(MESSAGE_MAX);
    CLEANUP(buf_deinit) struct buf file = BUF_INIT(MESSAGE_MAX);
    CLEANUP(buf_deinit) struct buf code = BUF_INIT(MESSAGE_MAX);
    struct annotation shown = *a;

    if (l->spec.counts->n[a->level]++ >= ANNOTATION_KEPT_MAX)
        return;
    shown.message = masked(l, a->message, &message);
    shown.title = masked(l, a->title, &title);
    shown.code = masked(l, a->code, &code);
    shown.file = masked(l, annotation_file(a->file, l->spec.workspace), &file);
    emit_batch(l); /* the line comes before the annotation that points at it */
    if (l->err.code == ERR_OK &&
        event_emit(l->spec.events, annotation_event(&shown, l->spec.step), &l->err) < 0)
        return; /* L->err says it at the next flush */
}

void log_put_issue(struct log *l, const struct annotation *a, struct slice text)
{
    static const enum log_tag level_tags[ANNOTATION_LEVELS] = {
        [ANNOTATION_NOTICE] = LOG_NOTICE,
        [ANNOTATION_WARNING] = LOG_WARNING,
        [ANNOTATION_ERROR] = LOG_ERROR,
    };

    log_write(l, level_tags[a->level], text);
    emit_annotation(l, a);
}

void log_annotate(struct log *l, const struct annotation *a)
{
    log_put_issue(l, a, a->message);
}

static void issue(struct log *l, enum annotation_level level, struct slice text)
{
    struct annotation a = {.level = level, .message = text};

    log_annotate(l, &a);
}

void log_issue(struct log *l, enum annotation_level level, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FORMATTED_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    issue(l, level, buf_slice(&text));
}

/* ---- looking at many bytes at once ---- */

/* Sixteen bytes at once, on every processor that compilers know to do that with. */
typedef unsigned char block __attribute__((vector_size(16)));

static inline block load(const char *p)
{
    block v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* What a chunk holds that needs a look at single lines. */
struct contents {
    bool cr, colons, bracket; /* CR, "::", "##[" somewhere; a false alarm costs time only */
};

static bool any(block v)
{
    uint64_t halves[2];

    memcpy(halves, &v, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* One pass over a chunk decides for thousands of lines. */
static struct contents look(struct slice text)
{
    const block zero = {0}, cr = zero + '\r', colon = zero + ':', hash = zero + '#',
                bracket = zero + '[';
    block crs = zero, colons = zero, brackets = zero;
    size_t i = 0;

    for (; i + sizeof zero + 2 <= text.len; i += sizeof zero) {
        block a = load(text.ptr + i), b = load(text.ptr + i + 1), c = load(text.ptr + i + 2);

        crs |= (block)(a == cr);
        colons |= (block)(a == colon) & (block)(b == colon);
        brackets |= (block)(a == hash) & (block)(b == hash) & (block)(c == bracket);
    }
    struct slice rest = slice_from(text, i);
    return (struct contents){
        .cr = any(crs) || slice_find_char(rest, '\r') >= 0,
        .colons = any(colons) || slice_find(rest, SLICE("::")) >= 0,
        .bracket = any(brackets) || slice_find(rest, SLICE("##[")) >= 0,
    };
}

/* ---- in: bytes to lines ---- */

static const struct slice markers[] = {SLICE_INIT("##[start-action"), SLICE_INIT("##[end-action")};

static struct slice hide_markers(struct log *l, struct slice line)
{
    if (!look(line).bracket)
        return line;
    buf_clear(&l->scratch);
    command_hide_markers(line, &l->scratch);
    return buf_slice(&l->scratch);
}

/* How many bytes at the end of TEXT could be the begin of a marker. */
static size_t marker_begin(struct slice text)
{
    size_t most = 0;

    for (size_t m = 0; m < COUNT_OF(markers); m++)
        for (size_t n = markers[m].len - 1; n > most; n--)
            if (slice_ends(text, slice_head(markers[m], n)))
                most = n;
    return most;
}

static void handle_line(struct log *l, enum log_stream from, struct slice line)
{
    if (!l->spec.no_commands && command_possible(line) && log_obey(l, line))
        return;
    line = hide_markers(l, line);
    if (!matchers_any(l->spec.matchers) || !log_match(l, from, line))
        log_put_line(l, line);
}

/* ---- lines that are too long to be kept ---- */

/* Lets out what the stream of CH is certain about; END: its line is complete. */
static void put_part(struct log *l, struct channel *ch, struct slice text, bool end)
{
    bool open = l->open == ch;

    begin(l, ch);
    emit_batch(l);
    mask_stream_feed(&ch->parts, hide_markers(l, text), &l->batch);
    if (end) {
        mask_stream_flush(&ch->parts, &l->batch);
        buf_add_char(&l->batch, '\n');
        return; /* more lines may follow in the same event */
    }
    l->open = open || l->batch.len ? ch : NULL; /* all of it may have been held back */
    emit(l, buf_slice(&l->batch), true);
    buf_clear(&l->batch);
}

/* Adds TEXT to a line that goes out in parts. What could be the begin of a marker waits in the line. */
static void stream(struct log *l, struct channel *ch, struct slice text)
{
    while (text.len) {
        size_t len = text.len > FEED_MAX ? part_end(text, FEED_MAX) : text.len;
        struct slice piece = slice_head(text, len);

        text = slice_from(text, len);
        if (ch->line.len) {
            buf_add(&ch->line, piece);
            piece = buf_slice(&ch->line);
        }
        size_t certain = piece.len - marker_begin(piece);
        struct slice rest = slice_from(piece, certain);
        put_part(l, ch, slice_head(piece, certain), false);
        if (piece.ptr == ch->line.ptr)
            buf_consume(&ch->line, certain);
        else
            buf_add(&ch->line, rest);
    }
}

/* Adds TEXT, which holds no line end, to the line of CH. */
static void extend(struct log *l, struct channel *ch, struct slice text)
{
    size_t len = ch->line.len + text.len;

    if (ch->streaming) {
        stream(l, ch, text);
        return;
    }
    buf_add(&ch->line, text);
    if (len <= LOG_LINE_MAX || (len <= COMMAND_LINE_MAX && log_would_obey(l, buf_slice(&ch->line))))
        return;
    ch->streaming = true;
    struct buf all = ch->line;
    ch->line = (struct buf)BUF_INIT(all.max);
    stream(l, ch, buf_slice(&all));
    wipe(&all);
}

/* The line of CH is complete. */
static void finish(struct log *l, enum log_stream from)
{
    struct channel *ch = &l->channels[from];

    if (ch->streaming) {
        put_part(l, ch, buf_slice(&ch->line), true);
        ch->streaming = false;
    } else {
        handle_line(l, from, buf_slice(&ch->line));
    }
    buf_clear(&ch->line);
}

/* ---- chunks ---- */

/* The first C in TEXT, or the end of TEXT. KNOWN is the answer for a longer text that ends there too:
 * a chunk with a thousand CR and a single LF is not searched for that LF a thousand times. */
static const char *next_char(struct slice text, const char *known, char c)
{
    if (known && known >= text.ptr)
        return known;
    ssize_t at = slice_find_char(text, c);
    return at < 0 ? text.ptr + text.len : text.ptr + at;
}

/* Takes the end of line at AT off *TEXT, together with what is before it. */
static void skip_end(struct channel *ch, struct slice *text, size_t at)
{
    bool cr = text->ptr[at] == '\r';

    *text = slice_from(*text, at + 1);
    if (!cr)
        return;
    if (text->len && text->ptr[0] == '\n')
        *text = slice_from(*text, 1);
    else
        ch->skip_lf = text->len == 0;
}

/* True for a line that is neither a command nor has anything to hide. */
static bool is_ordinary(struct slice line, struct contents in)
{
    size_t i = 0;

    if (in.bracket && slice_find(line, SLICE("##[")) >= 0)
        return false;
    while (in.colons && i < line.len &&
           (line.ptr[i] == ' ' || (line.ptr[i] >= '\t' && line.ptr[i] <= '\r')))
        i++;
    return !in.colons || i == line.len || line.ptr[i] != ':';
}

/* Puts the ordinary lines at the start of *TEXT all at once, and takes them off. */
static bool take_ordinary(struct log *l, struct contents in, struct slice *text)
{
    const char *end = NULL;

    if (in.cr || matchers_any(l->spec.matchers))
        return false;
    if (!in.colons && !in.bracket) {
        end = memrchr(text->ptr, '\n', text->len);
    } else {
        struct slice rest = *text;

        for (ssize_t at; (at = slice_find_char(rest, '\n')) >= 0;) {
            if (!is_ordinary(slice_head(rest, (size_t)at), in))
                break;
            end = rest.ptr + at;
            rest = slice_from(rest, (size_t)at + 1);
        }
    }
    if (!end)
        return false;
    size_t len = (size_t)(end - text->ptr) + 1;
    put_lines(l, slice_head(*text, len), false);
    *text = slice_from(*text, len);
    return true;
}

/* TEXT is valid UTF-8, and at most a little longer than a FEED_MAX. */
static void take(struct log *l, enum log_stream from, struct slice text)
{
    struct channel *ch = &l->channels[from];
    struct contents in = look(text);
    const char *lf = NULL, *cr = NULL;

    if (ch->skip_lf && text.len) {
        ch->skip_lf = false;
        text = slice_from(text, text.ptr[0] == '\n');
    }
    while (text.len) {
        bool whole = ch->line.len == 0 && !ch->streaming;

        if (whole && take_ordinary(l, in, &text))
            continue;
        lf = next_char(text, lf, '\n');
        cr = next_char(text, cr, '\r');
        size_t at = (size_t)((lf < cr ? lf : cr) - text.ptr);
        struct slice line = slice_head(text, at);

        if (at == text.len) {
            extend(l, ch, text);
            return;
        }
        if (whole) {
            handle_line(l, from, line);
        } else {
            extend(l, ch, line);
            finish(l, from);
        }
        skip_end(ch, &text, at);
    }
}

int log_feed(struct log *l, enum log_stream from, struct slice bytes, struct err *err)
{
    while (bytes.len) {
        struct slice chunk = slice_head(bytes, FEED_MAX);

        take(l, from, utf8_feed(&l->channels[from].utf8, chunk, &l->decoded));
        bytes = slice_from(bytes, chunk.len);
    }
    return log_flush(l, err);
}

int log_end(struct log *l, enum log_stream from, struct err *err)
{
    struct channel *ch = &l->channels[from];

    take(l, from, utf8_end(&ch->utf8));
    if (ch->line.len || ch->streaming)
        finish(l, from);
    ch->skip_lf = false;
    return log_flush(l, err);
}
