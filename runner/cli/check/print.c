/* Findings as text, as JSON and as SARIF. */
#include "base/utf8.h"
#include "cli/check/files.h"
#include "lang/workflow/calls.h"
#include "report/text.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const level_names[] = {
    [DIAG_ERROR] = "error", [DIAG_WARNING] = "warning", [DIAG_INFO] = "info"};

static const char *rule_of(const struct diag *d)
{
    return d->rule ? d->rule : check_rules[CHECK_LANGUAGE].name;
}

static int line_of(const struct diag *d)
{
    return d->line ? d->line : 1; /* the whole file */
}

static int col_of(const struct diag *d)
{
    return d->col ? d->col : 1;
}

/* ---- text ---- */

enum { WIDTH_LEAST = 40, WIDTH_USUAL = 100, NUMBER_WIDTH = 6 };

struct page {
    struct buf out;
    struct text_style style;
    int width;
};

static const char *paint(const struct page *p, const char *sequence)
{
    return p->style.color ? sequence : "";
}

static struct slice source_line(const struct checked *f, int line)
{
    struct slice rest = buf_slice(&f->text), one = SLICE("");

    for (int i = 0; i < line; i++)
        if (!slice_line(&rest, &one))
            return SLICE("");
    return one;
}

/* The source line, cut to fit around COL, and below it the caret; tabs become spaces in both. */
static void add_source(struct page *p, const struct checked *f, const struct diag *d)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(CHECK_FILE_SIZE_MAX * 3);
    struct text_style plain = {.utf8 = p->style.utf8};
    struct slice line = source_line(f, d->line), rest;
    int room = p->width - NUMBER_WIDTH - 3, before = 0, skipped = 0;

    if (!d->line || !slice_trim(line).len || room < 20)
        return;
    /* character by character: what is not shown as itself still takes its column */
    rest = line;
    for (int col = 1; rest.len; col++) {
        const char *from = rest.ptr;
        uint32_t c = text_next(&rest);
        size_t at = clean.len;

        if (c == '\t')
            buf_add_char(&clean, ' ');
        else if (c < 0x20 || c == 0x7F)
            buf_add_char(&clean, '?');
        else
            text_clean(&clean, slice_make(from, (size_t)(rest.ptr - from)), plain);
        if (col < d->col)
            before += text_width(slice_from(buf_slice(&clean), at));
    }
    struct slice shown = buf_slice(&clean);
    while (before - skipped > room - 12 && shown.len) { /* far to the right: begin later */
        struct slice one = shown;
        (void)text_next(&shown);
        skipped += text_width(slice_head(one, (size_t)(shown.ptr - one.ptr)));
    }
    buf_printf(&p->out, "%s%*d |%s ", paint(p, "\033[2m"), NUMBER_WIDTH, d->line,
               paint(p, "\033[0m"));
    (void)text_cut(&p->out, shown, room, plain);
    buf_printf(&p->out, "\n%*s %s|%s %*s%s^%s\n", NUMBER_WIDTH, "", paint(p, "\033[2m"),
               paint(p, "\033[0m"), before - skipped, "",
               paint(p, d->level == DIAG_ERROR ? "\033[1;31m" : "\033[1;33m"), paint(p, "\033[0m"));
}

/* TEXT in lines of at most WIDTH columns; the first has USED columns on it already, the others begin
 * with INDENT spaces. */
static void add_wrapped(struct page *p, struct slice text, int used, int indent)
{
    struct slice word;

    while (slice_split(&text, ' ', &word)) {
        int width = text_width(word);

        if (used > indent && used + 1 + width > p->width) {
            buf_printf(&p->out, "\n%*s", indent, "");
            used = indent;
        } else if (used > indent) {
            buf_add_char(&p->out, ' ');
            used++;
        }
        buf_add(&p->out, word);
        used += width;
    }
}

/* One line for each call of F, and how that caller came to be looked at. */
static void add_callers(struct page *p, const struct checked *f)
{
    enum { CALLERS_SHOWN = 5 };

    for (size_t i = 0; !f->named && i < f->callers.len && i < CALLERS_SHOWN; i++) {
        const struct check_caller *by = &f->callers.ptr[i];

        buf_printf(&p->out, "%*s %s=%s ", NUMBER_WIDTH, "", paint(p, "\033[2m"),
                   paint(p, "\033[0m"));
        for (int depth = 0; by; depth++) {
            const struct checked *caller = by->file;
            bool more = !caller->named && caller->callers.len && depth < CALLS_DEPTH_MAX;

            buf_printf(&p->out, "%scalled by ", depth ? ", " : "");
            text_clean(&p->out, slice_of(caller->path), (struct text_style){.utf8 = p->style.utf8});
            buf_printf(&p->out, ":%d:%d", by->line, by->col);
            by = more ? &caller->callers.ptr[0] : NULL;
        }
        buf_add_char(&p->out, '\n');
    }
    if (!f->named && f->callers.len > CALLERS_SHOWN)
        buf_printf(&p->out, "%*s %s=%s and by %zu more\n", NUMBER_WIDTH, "", paint(p, "\033[2m"),
                   paint(p, "\033[0m"), f->callers.len - CALLERS_SHOWN);
}

static void add_finding(struct page *p, const struct checked *f, const struct diag *d)
{
    static const char *const colors[] = {
        [DIAG_ERROR] = "\033[1;31m", [DIAG_WARNING] = "\033[1;33m", [DIAG_INFO] = "\033[1;36m"};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    struct text_style plain = {.utf8 = p->style.utf8};
    size_t at = p->out.len;

    text_clean(&p->out, slice_of(f->path), plain);
    buf_printf(&p->out, ":%d:%d: ", line_of(d), col_of(d));
    int used = text_width(slice_from(buf_slice(&p->out), at));
    buf_printf(&p->out, "%s%s:%s", paint(p, colors[d->level]), level_names[d->level],
               paint(p, "\033[0m"));
    used += (int)strlen(level_names[d->level]) + 1;
    text_clean(&text, d->message, plain);
    buf_printf(&text, " [%s]", rule_of(d));
    add_wrapped(p, buf_slice(&text), used, 4);
    buf_add_char(&p->out, '\n');
    add_source(p, f, d);
    if (d->hint) {
        buf_clear(&text);
        text_clean(&text, slice_of(d->hint), plain);
        buf_printf(&p->out, "%*s %s=%s ", NUMBER_WIDTH, "", paint(p, "\033[2m"),
                   paint(p, "\033[0m"));
        add_wrapped(p, buf_slice(&text), NUMBER_WIDTH + 3, NUMBER_WIDTH + 3);
        buf_add_char(&p->out, '\n');
    }
    add_callers(p, f);
    buf_add_char(&p->out, '\n');
}

static void add_count(struct buf *out, size_t n, const char *what)
{
    if (n)
        buf_printf(out, "%s%zu %s%s", out->len ? ", " : "", n, what, n == 1 ? "" : "s");
}

static void add_summary(struct page *p, const struct check_run *r)
{
    CLEANUP(buf_deinit) struct buf counts = BUF_INIT(200);

    add_count(&counts, r->n_errors, "error");
    add_count(&counts, r->n_warnings, "warning");
    add_count(&counts, r->n_infos, "info");
    if (!counts.len)
        buf_printf(&p->out, "%zu file%s checked: nothing found\n", r->files.len,
                   r->files.len == 1 ? "" : "s");
    else
        buf_printf(&p->out, "%zu file%s checked: %s in %zu of them\n", r->files.len,
                   r->files.len == 1 ? "" : "s", counts.ptr, r->n_with);
}

static void flush_page(struct page *p)
{
    (void)fwrite(p->out.ptr, 1, p->out.len, stdout);
    buf_clear(&p->out);
}

static int page_width(const struct report_screen *screen)
{
    struct winsize size;
    int width = screen->width;

    if (!width && screen->tty && ioctl(screen->fd, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (!width)
        width = WIDTH_USUAL;
    return width < WIDTH_LEAST ? WIDTH_LEAST : width;
}

void check_print_text(const struct check_run *r, const struct report_screen *screen)
{
    struct page p = {
        .out = BUF_INIT(64 << 20),
        .style = {.color = screen->color, .utf8 = screen->utf8},
        .width = page_width(screen),
    };

    VEC_EACH (f, &r->files) {
        VEC_EACH (d, &(*f)->diags.list)
            add_finding(&p, *f, d);
        if (diags_is_full(&(*f)->diags)) {
            text_clean(&p.out, slice_of((*f)->path), (struct text_style){.utf8 = p.style.utf8});
            buf_printf(&p.out, ": these are the first %d findings, there are more\n\n",
                       (int)DIAG_MAX);
        }
        flush_page(&p);
    }
    add_summary(&p, r);
    flush_page(&p);
    buf_deinit(&p.out);
}

/* ---- JSON ---- */

/* Bytes from outside as a JSON text, whatever they are. */
static json_t *text_json(struct slice s)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(1 << 20);

    text_clean(&clean, s, (struct text_style){.utf8 = true});
    return json_stringn(clean.ptr, clean.len);
}

static int print_json(json_t *json, struct err *err)
{
    int r = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

    json_decref(json);
    if (r < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
        return err_sys(err, "cannot write the findings");
    return ERR_OK;
}

static json_t *finding_json(const struct checked *f, const struct diag *d)
{
    json_t *json =
        json_pack("{s:o, s:i, s:i, s:s, s:s, s:o}", "path", text_json(slice_of(f->path)), "line",
                  line_of(d), "column", col_of(d), "severity", level_names[d->level], "rule",
                  rule_of(d), "message", text_json(d->message));

    json_object_set_new(json, "hint", d->hint ? text_json(slice_of(d->hint)) : json_null());
    if (f->named)
        return json;
    json_t *callers = json_array();
    VEC_EACH (by, &f->callers)
        json_array_append_new(callers, json_pack("{s:o, s:i, s:i}", "path",
                                                 text_json(slice_of(by->file->path)), "line",
                                                 by->line, "column", by->col));
    json_object_set_new(json, "callers", callers);
    return json;
}

int check_print_json(const struct check_run *r, struct err *err)
{
    json_t *list = json_array();

    VEC_EACH (f, &r->files)
        VEC_EACH (d, &(*f)->diags.list)
            json_array_append_new(list, finding_json(*f, d));
    return print_json(json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}", "version", 1, "files",
                                (int)r->files.len, "errors", (int)r->n_errors, "warnings",
                                (int)r->n_warnings, "infos", (int)r->n_infos, "findings", list),
                      err);
}

/* ---- SARIF 2.1.0 ---- */

static const char *sarif_level(enum diag_level level)
{
    return level == DIAG_INFO ? "note" : level_names[level];
}

/* A path as a URI reference: what may not stand in one is written %XX. */
static json_t *uri_json(const char *path)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct slice rest = slice_of(path);

    while (slice_starts(rest, SLICE("./")))
        rest = slice_from(rest, 2);
    for (size_t i = 0; i < rest.len; i++) {
        unsigned char c = (unsigned char)rest.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("/-._~", c);

        if (plain)
            buf_add_char(&out, (char)c);
        else
            buf_printf(&out, "%%%02X", c);
    }
    return json_stringn(out.ptr, out.len);
}

static int rule_index(const struct diag *d)
{
    for (int i = 0; i < CHECK_RULES; i++)
        if (strcmp(check_rules[i].name, rule_of(d)) == 0)
            return i;
    return 0;
}

static json_t *place_json(const char *path, int line, int col)
{
    return json_pack("{s:{s:{s:o}, s:{s:i, s:i}}}", "physicalLocation", "artifactLocation", "uri",
                     uri_json(path), "region", "startLine", line, "startColumn", col);
}

static json_t *result_json(const struct checked *f, const struct diag *d)
{
    json_t *message = text_json(d->message);

    if (d->hint) {
        json_t *both = json_sprintf("%s (%s)", json_string_value(message), d->hint);
        if (both) { /* a hint that is no UTF-8 is left out */
            json_decref(message);
            message = both;
        }
    }
    json_t *result = json_pack("{s:s, s:i, s:s, s:{s:o}, s:[o]}", "ruleId", rule_of(d), "ruleIndex",
                               rule_index(d), "level", sarif_level(d->level), "message", "text",
                               message, "locations", place_json(f->path, line_of(d), col_of(d)));
    json_t *related = json_array();
    for (size_t i = 0; !f->named && i < f->callers.len; i++) {
        const struct check_caller *by = &f->callers.ptr[i];
        json_t *place = place_json(by->file->path, by->line, by->col);

        json_object_set_new(place, "message", json_pack("{s:s}", "text", "called from here"));
        json_array_append_new(related, place);
    }
    if (json_array_size(related))
        json_object_set(result, "relatedLocations", related);
    json_decref(related);
    return result;
}

int check_print_sarif(const struct check_run *r, const char *version, struct err *err)
{
    json_t *rules = json_array(), *results = json_array();

    for (int i = 0; i < CHECK_RULES; i++)
        json_array_append_new(rules, json_pack("{s:s, s:{s:s}}", "id", check_rules[i].name,
                                               "shortDescription", "text", check_rules[i].reason));
    VEC_EACH (f, &r->files)
        VEC_EACH (d, &(*f)->diags.list)
            json_array_append_new(results, result_json(*f, d));
    return print_json(json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:s, s:o}]}", "$schema",
                                "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0",
                                "runs", "tool", "driver", "name", "ostler", "version", version,
                                "rules", rules, "columnKind", "unicodeCodePoints", "results",
                                results),
                      err);
}
