#include "listen/logline.h"

#include "base/utf8.h"
#include "report/text.h"

#include <jansson.h>

static const struct {
    const char *name;
    int syslog;
} levels[] = {[LOGLINE_DEBUG] = {"debug", 7},
              [LOGLINE_INFO] = {"info", 6},
              [LOGLINE_WARNING] = {"warning", 4},
              [LOGLINE_ERROR] = {"error", 3}};

enum { STAMP_SECONDS = 19 }; /* "2026-11-22T04:30:00" */

/* One line of it, whatever it holds. */
static void add_clean(struct buf *out, const char *text)
{
    struct slice rest = slice_of(text), line;
    bool first = true;

    while (slice_line(&rest, &line)) {
        if (!first)
            buf_add_char(out, ' ');
        text_clean(out, line, (struct text_style){.utf8 = true});
        first = false;
    }
}

static bool is_word(const char *value)
{
    return *value && !strpbrk(value, " \t\r\n\"=");
}

static void add_text(struct buf *out, const char *message, const struct logline_field *fields)
{
    add_clean(out, message);
    for (const struct logline_field *f = fields; f->name; f++) {
        if (!f->value)
            continue;
        buf_printf(out, is_word(f->value) ? " %s=" : " %s=\"", f->name);
        add_clean(out, f->value);
        buf_add_str(out, is_word(f->value) ? "" : "\"");
    }
    buf_add_char(out, '\n');
}

static json_t *valid(const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    return json_string(utf8_text(&a, text));
}

static void add_json(struct buf *out, enum logline_level level, const char *stamp,
                     const char *message, const struct logline_field *fields)
{
    json_t *json = json_pack("{s:s, s:s, s:o}", "time", stamp, "level", levels[level].name,
                             "message", valid(message));

    for (const struct logline_field *f = fields; f->name; f++)
        if (f->value)
            json_object_set_new(json, f->name,
                                f->kind == LOGLINE_NUMBER ? json_real(strtod(f->value, NULL))
                                                          : valid(f->value));
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_add_str(out, text);
    buf_add_char(out, '\n');
    json_decref(json);
}

void logline_add(struct buf *out, enum logline_format format, enum logline_level level,
                 const char *stamp, const char *message, const struct logline_field *fields)
{
    if (format == LOGLINE_JSON) {
        add_json(out, level, stamp, message, fields);
        return;
    }
    if (format == LOGLINE_JOURNAL)
        buf_printf(out, "<%d>", levels[level].syslog);
    else
        buf_printf(out, "%.*sZ %s ", STAMP_SECONDS, stamp, levels[level].name);
    add_text(out, message, fields);
}
