#include "cli/plugin/record.h"

#include "base/path.h"
#include "plugin/transcript.h"

#include <fcntl.h>
#include <jansson.h>

enum { RECORD_MAX = 64 << 20 }; /* bytes of one transcript */

void plugin_record_begin(struct plugin_record *r, const struct plugin *p, int phase,
                         const struct strmap *inputs, const struct plugin_record_places *places)
{
    struct buf *to = &r->lines;

    plugin_record_deinit(r);
    *to = (struct buf)BUF_INIT(RECORD_MAX);
    buf_printf(to, "{\"transcript\":%d", TRANSCRIPT_VERSION);
    transcript_text(to, "plugin", p->id);
    transcript_text(to, "version", p->version);
    transcript_text(to, "phase", plugin_phase_name(phase));
    transcript_name(to, "with");
    buf_add_char(to, '{');
    STRMAP_EACH (item, inputs) {
        transcript_text(to, item->name, item->value);
    }
    buf_add_char(to, '}');
    transcript_name(to, "dirs");
    buf_add_char(to, '{');
    transcript_text(to, "workspace", places->workspace);
    transcript_text(to, "temp", places->temp);
    transcript_text(to, "tools", places->tools);
    transcript_text(to, "home", places->home);
    buf_add_str(to, "}}\n");
}

void plugin_record_line(struct plugin_record *r, struct slice line)
{
    buf_add(&r->lines, line);
    buf_add_char(&r->lines, '\n');
}

/* A copy of V with its texts masked, one by one: masking the line could break it. */
static json_t *masked(json_t *v, const struct mask *mask)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(RECORD_MAX);
    const char *name;
    size_t i;
    json_t *item, *copy;

    if (json_is_string(v)) {
        mask_apply(mask, slice_make(json_string_value(v), json_string_length(v)), &text);
        return json_stringn(text.ptr, text.len);
    }
    if (json_is_array(v)) {
        copy = json_array();
        json_array_foreach (v, i, item)
            json_array_append_new(copy, masked(item, mask));
        return copy;
    }
    if (json_is_object(v)) {
        copy = json_object();
        json_object_foreach (v, name, item)
            json_object_set_new(copy, name, masked(item, mask));
        return copy;
    }
    return json_incref(v);
}

/* What is no JSON was sent by a plugin that speaks on the recorder's line: it is left out. */
static void add_masked(struct buf *to, struct slice line, const struct mask *mask)
{
    json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
    json_t *clean = json ? masked(json, mask) : NULL;
    CLEANUP(free_ptr) char *text = clean ? json_dumps(clean, JSON_COMPACT) : NULL;

    json_decref(json);
    json_decref(clean);
    if (!text)
        return;
    buf_add_str(to, text);
    buf_add_char(to, '\n');
}

int plugin_record_end(struct plugin_record *r, const char *folder, int phase,
                      const struct mask *mask, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(2 * RECORD_MAX);
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(64);
    struct slice rest = buf_slice(&r->lines), line;

    if (buf_check(&r->lines, "the transcript", err) < 0)
        return err->code;
    while (slice_line(&rest, &line))
        add_masked(&out, line, mask);
    plugin_record_deinit(r);
    buf_printf(&name, "%s.jsonl", plugin_phase_name(phase));
    CLEANUP(free_ptr) char *path = path_join(folder, name.ptr);
    int r2 = path_mkdirs(AT_FDCWD, folder, 0755, err);
    return r2 < 0 ? r2 : path_write(AT_FDCWD, path, buf_slice(&out), 0600, err);
}

void plugin_record_deinit(struct plugin_record *r)
{
    buf_deinit(&r->lines);
}
