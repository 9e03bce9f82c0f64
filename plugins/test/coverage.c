#include "coverage.h"

#include "../lib/beneath.h"
#include "../lib/xml.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NO_CODE, NEVER_RUN, RUN };

/* ---- the model ---- */

static struct covered_file *find_file(struct coverage *c, const char *path)
{
    struct ost_step *step = c->index.step;
    size_t at = index_get(&c->index, path);

    if (at != INDEX_NONE)
        return &c->list[at];
    if (c->n == COVERAGE_FILES_MAX)
        return NULL;
    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 64;
        struct covered_file *list = step->host->alloc(step, room * sizeof *list);

        if (c->n > 0)
            memcpy(list, c->list, c->n * sizeof *list);
        c->list = list;
        c->room = room;
    }
    c->list[c->n] = (struct covered_file){.path = span_dup(step, span_of(path))};
    index_set(&c->index, c->list[c->n].path, c->n);
    return &c->list[c->n++];
}

static bool grow_lines(struct coverage *c, struct covered_file *f, uint32_t line)
{
    struct ost_step *step = c->index.step;
    uint32_t room = f->n_lines ? f->n_lines : 128;
    unsigned char *lines;

    while (room <= line)
        room *= 2;
    if (c->n_lines + room - f->n_lines > COVERAGE_LINES_MAX)
        return false;
    lines = step->host->alloc(step, room);
    memset(lines, NO_CODE, room);
    if (f->n_lines > 0)
        memcpy(lines, f->lines, f->n_lines);
    c->n_lines += room - f->n_lines;
    f->lines = lines;
    f->n_lines = room;
    return true;
}

void coverage_line(struct coverage *to, const char *path, uint32_t line, bool run)
{
    struct covered_file *f = find_file(to, path);

    if (!f || line == 0 || line > COVERAGE_LINE_MAX ||
        (line >= f->n_lines && !grow_lines(to, f, line))) {
        to->overflow = true;
        return;
    }
    if (f->lines[line] != RUN)
        f->lines[line] = run ? RUN : NEVER_RUN;
}

/* Two reports may have one file under two names: they become one. */
void coverage_settle(struct coverage *c, const struct places *places)
{
    size_t n = c->n;

    for (size_t i = 0; i < n; i++) {
        const char *path = place_resolve(places, c->list[i].path);
        size_t module = strlen(places->module), at;

        if (!path && module && strncmp(c->list[i].path, places->module, module) == 0 &&
            c->list[i].path[module] == '/')
            path = place_resolve(places, c->list[i].path + module + 1);
        path = path ? path : c->list[i].path; /* generated, or gone: it still counts in the whole */
        at = index_get(&c->index, path);
        if (at == INDEX_NONE)
            index_set(&c->index, path, i);
        else if (at != i) {
            for (uint32_t line = 1; line < c->list[i].n_lines; line++)
                if (c->list[i].lines[line] != NO_CODE)
                    coverage_line(c, path, line, c->list[i].lines[line] == RUN);
            c->list[i].n_lines = 0;
        }
        c->list[i].path = path;
    }
}

struct ratio coverage_ratio(const struct coverage *c)
{
    struct ratio r = {0};

    for (size_t i = 0; i < c->n; i++)
        for (uint32_t line = 1; line < c->list[i].n_lines; line++) {
            r.all += c->list[i].lines[line] != NO_CODE;
            r.covered += c->list[i].lines[line] == RUN;
        }
    return r;
}

static void count_range(const struct covered_file *f, uint32_t first, uint32_t last,
                        struct ratio *to)
{
    for (uint32_t line = first; line <= last && line < f->n_lines; line++) {
        to->all += f->lines[line] != NO_CODE;
        to->covered += f->lines[line] == RUN;
    }
}

struct ratio coverage_of_changes(const struct coverage *c, const struct changes *changes)
{
    struct ratio r = {0};

    for (size_t i = 0; i < changes->n; i++) {
        const struct changed_file *changed = &changes->list[i];
        size_t at = index_get(&c->index, changed->path);

        if (at == INDEX_NONE)
            continue;
        if (changed->whole)
            count_range(&c->list[at], 1, UINT32_MAX - 1, &r);
        for (size_t k = 0; k < changed->n; k++)
            count_range(&c->list[at], changed->lines[k].first, changed->lines[k].last, &r);
    }
    return r;
}

int ratio_hundredths(struct ratio r)
{
    return r.all ? (int)(r.covered * 10000 / r.all) : 10000;
}

const char *ratio_number(struct ost_step *step, struct ratio r)
{
    int n = ratio_hundredths(r);

    return r.all ? ost_fmt(step, "%d.%02d", n / 100, n % 100) : "";
}

const char *ratio_show(struct ost_step *step, struct ratio r)
{
    return r.all ? ost_fmt(step, "%s %%", ratio_number(step, r)) : "none";
}

/* ---- reading ---- */

enum format { UNKNOWN, LCOV, GO, XML };

struct coverage_reader {
    struct ost_step *step;
    struct coverage *to;
    enum format format;
    const char *trouble;
    struct xml *xml;
    const char *sources[16]; /* Cobertura's: where its names begin */
    unsigned n_sources;
    bool in_source, is_cobertura;
    struct sink source;
    const char *path; /* of the file under way; NULL: none */
    char line[4096];  /* one under way */
    size_t n_line;
    bool too_long;
    size_t n_seen; /* lines of code */
};

static void take_line(struct coverage_reader *r, uint32_t line, bool run)
{
    if (!r->path)
        return;
    coverage_line(r->to, r->path, line, run);
    r->n_seen++;
}

/* lcov: "SF:path", "DA:line,hits[,checksum]", "end_of_record" */
static void read_lcov(struct coverage_reader *r, struct span s)
{
    uint32_t line, hits;

    if (span_eat(&s, "SF:"))
        r->path = span_dup(r->step, span_trim(s));
    else if (span_eat(&s, "DA:") && span_eat_number(&s, &line) && span_eat(&s, ","))
        take_line(r, line, span_eat_number(&s, &hits) && hits > 0);
    else if (span_is(s, "end_of_record"))
        r->path = NULL;
}

/* Go: "example.com/calc/calc.go:3.24,5.2 1 7": from 3.24 to 5.2, 1 statement, run 7 times. A block that ends in the
 * first column ends on the line before: what stands there is a brace of the next. */
static void read_go(struct coverage_reader *r, struct span s)
{
    uint32_t first, last, column, n, hits;
    const char *colon = s.size ? memrchr(s.at, ':', s.size) : NULL;
    struct span path = {s.at, colon ? (size_t)(colon - s.at) : 0};

    if (!colon)
        return;
    s = (struct span){colon + 1, s.size - path.size - 1};
    if (!span_eat_number(&s, &first) || !span_eat(&s, ".") || !span_eat_number(&s, &column) ||
        !span_eat(&s, ",") || !span_eat_number(&s, &last) || !span_eat(&s, ".") ||
        !span_eat_number(&s, &column) || !span_eat(&s, " ") || !span_eat_number(&s, &n) ||
        !span_eat(&s, " ") || !span_eat_number(&s, &hits) || last - first > COVERAGE_LINE_MAX)
        return;
    if (!r->path || !span_is(path, r->path))
        r->path = span_dup(r->step, path);
    if (column <= 2 && last > first)
        last--;
    for (uint32_t line = first; line <= last && !r->to->overflow; line++)
        take_line(r, line, hits > 0);
}

/* Cobertura: class filename="" > lines > line number="" hits="". Names may be those below a source. */
static void on_open(void *ctx, const char *name, const char *const *attributes)
{
    struct coverage_reader *r = ctx;
    struct span number, hits;
    uint32_t line, n;

    if (r->trouble)
        return;
    if (!r->is_cobertura && strcmp(name, "coverage") != 0) {
        r->trouble = ost_fmt(r->step, "its root element is <%.40s>, not <coverage>", name);
        return;
    }
    r->is_cobertura = true;
    if (strcmp(name, "source") == 0) {
        r->in_source = true;
        r->source = (struct sink){.step = r->step};
    } else if (strcmp(name, "class") == 0) {
        const char *file = xml_get(attributes, "filename");

        r->path = NULL;
        for (unsigned i = 0; i < r->n_sources && file[0] != '/' && !r->path; i++) {
            const char *path = rel_join(r->step, r->sources[i], file);

            if (file_exists(path))
                r->path = path;
        }
        if (!r->path && *file)
            r->path = span_dup(r->step, span_of(file));
    } else if (strcmp(name, "line") == 0) {
        number = span_of(xml_get(attributes, "number"));
        hits = span_of(xml_get(attributes, "hits"));
        if (span_eat_number(&number, &line))
            take_line(r, line, span_eat_number(&hits, &n) && n > 0);
    }
}

static void on_close(void *ctx, const char *name)
{
    struct coverage_reader *r = ctx;

    if (strcmp(name, "class") == 0)
        r->path = NULL;
    if (!r->in_source || strcmp(name, "source") != 0)
        return;
    r->in_source = false;
    if (r->n_sources < sizeof r->sources / sizeof r->sources[0])
        r->sources[r->n_sources++] = span_dup(r->step, span_trim(sink_span(&r->source)));
}

static void on_text(void *ctx, struct span text)
{
    struct coverage_reader *r = ctx;

    if (r->in_source && r->source.size + text.size < sizeof r->line)
        sink_add(&r->source, text);
}

static void end_line(struct coverage_reader *r)
{
    struct span s = span_trim((struct span){r->line, r->n_line});

    r->n_line = 0;
    if (!r->too_long && r->format == LCOV)
        read_lcov(r, s);
    else if (!r->too_long)
        read_go(r, s);
    r->too_long = false;
}

static void find_format(struct coverage_reader *r, struct span s)
{
    static const struct xml_events events = {on_open, on_close, on_text};

    span_eat(&s, "\xef\xbb\xbf");
    s = span_trim(s);
    if (span_starts(s, "<")) {
        r->format = XML;
        r->xml = xml_new(r->step, &events, r);
    } else if (span_starts(s, "mode:")) {
        r->format = GO;
    } else if (span_starts(s, "TN:") || span_starts(s, "SF:") || span_starts(s, "#")) {
        r->format = LCOV;
    } else {
        r->trouble = "it is neither lcov's, Cobertura's nor a profile of Go's";
    }
}

struct coverage_reader *coverage_reader_new(struct ost_step *step, struct coverage *to)
{
    struct coverage_reader *r = step->host->alloc(step, sizeof *r);

    *r = (struct coverage_reader){.step = step, .to = to};
    return r;
}

void coverage_reader_feed(struct coverage_reader *r, struct span bytes)
{
    if (r->format == UNKNOWN && !r->trouble)
        find_format(r, bytes);
    if (r->format == XML) {
        if (!r->trouble && !xml_feed(r->xml, bytes, false) && !r->trouble)
            r->trouble = xml_wrong(r->xml);
        return;
    }
    for (size_t i = 0; i < bytes.size && !r->trouble; i++) {
        if (bytes.at[i] == '\n')
            end_line(r);
        else if (r->n_line < sizeof r->line)
            r->line[r->n_line++] = bytes.at[i];
        else
            r->too_long = true;
    }
}

const char *coverage_reader_end(struct coverage_reader *r)
{
    if (r->n_line > 0 && !r->trouble)
        end_line(r);
    if (r->format == XML && !r->trouble && !xml_feed(r->xml, (struct span){"", 0}, true) &&
        !r->trouble)
        r->trouble = xml_wrong(r->xml);
    r->xml = xml_free(r->xml);
    if (!r->trouble && r->n_seen == 0)
        r->trouble = "it has no lines of code";
    return r->trouble;
}

const char *coverage_read(struct ost_step *step, const char *path, struct coverage *to)
{
    enum { PORTION = 1 << 16 };
    char *portion = step->host->alloc(step, PORTION);
    struct coverage_reader *r;
    const char *why;
    uint64_t size = 0;
    ssize_t n;
    int fd = beneath_open_file(step, path, COVERAGE_SIZE_MAX, &why);

    if (fd < 0)
        return why;
    r = coverage_reader_new(step, to);
    while (!r->trouble && ((n = read(fd, portion, PORTION)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0 && (size += (uint64_t)n) <= COVERAGE_SIZE_MAX)
            coverage_reader_feed(r, (struct span){portion, (size_t)n});
        else if (n > 0) /* it grows while it is read */
            r->trouble = "it does not end";
    close(fd);
    return coverage_reader_end(r);
}
