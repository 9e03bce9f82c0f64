#include "manifest.h"

#include "../lib/json.h"
#include "../lib/json_put.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STAMP_SIZE = 16 };

const char *manifest_stamp(struct ost_step *step)
{
    time_t now = time(NULL);
    char text[32];
    struct tm tm;

    (void)strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    return span_dup(step, span_of(text));
}

int64_t manifest_time(const char *stamp)
{
    struct tm tm = {0};
    const char *end;

    if (strlen(stamp) != STAMP_SIZE || strspn(stamp, "0123456789") != 8)
        return -1;
    end = strptime(stamp, "%Y%m%dT%H%M%SZ", &tm);
    return end && !*end ? (int64_t)timegm(&tm) : -1;
}

const char *manifest_name(struct ost_step *step, const char *name, const char *stamp)
{
    return ost_fmt(step, "%s-%s.json", name, stamp);
}

const char *manifest_is_of(struct ost_step *step, const char *text, const char *name)
{
    struct span s = span_of(text);
    const char *stamp;

    if (!span_eat(&s, name) || !span_eat(&s, "-") || !span_ends(s, ".json"))
        return NULL;
    s.size -= strlen(".json");
    stamp = span_dup(step, s);
    return manifest_time(stamp) < 0 ? NULL : stamp;
}

const char *manifest_format(struct ost_step *step, const char *name, const struct manifest *m)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("{\n  \"version\": 1,\n  \"name\": "));
    json_put_text(&k, name);
    sink_add(&k, SPAN(",\n  \"file\": "));
    json_put_text(&k, m->file);
    sink_addf(&k, ",\n  \"created\": \"%s\",\n  \"source\": \"%s\",\n  \"database\": ", m->created,
              kind_name(m->kind));
    json_put_text(&k, m->database);
    sink_addf(
        &k,
        ",\n  \"size\": %lld,\n  \"sha256\": \"%s\",\n  \"entries\": %lld,\n  \"rows\": %lld,\n"
        "  \"verified\": \"%s\",\n  \"tables\": {",
        (long long)m->size, m->sha256, (long long)m->entries, (long long)rows_total(&m->rows),
        m->verified);
    for (size_t i = 0; i < m->rows.n; i++) {
        sink_addf(&k, "%s\n    ", i ? "," : "");
        json_put_text(&k, m->rows.tables[i].name);
        sink_addf(&k, ": %lld", (long long)m->rows.tables[i].rows);
    }
    sink_addf(&k, "%s}\n}\n", m->rows.n ? "\n  " : "");
    return sink_text(&k);
}

/* -1: there is no such number. */
static int64_t number(const struct json *j)
{
    char *end;
    long long n;

    if (!j || j->kind != JSON_NUMBER)
        return -1;
    n = strtoll(j->text, &end, 10);
    return *end || n < 0 ? -1 : n;
}

static bool read_tables(const struct json *tables, enum kind kind, struct rows *ret)
{
    size_t n = 0;

    if (!tables || tables->kind != JSON_OBJECT)
        return false;
    for (const struct json *t = tables->first; t; t = t->next)
        if (++n > ROWS_TABLES_MAX || number(t) < 0 || !rows_is_name(kind, t->key))
            return false;
    ret->tables = ret->step->host->alloc(ret->step, (n + 1) * sizeof *ret->tables);
    for (const struct json *t = tables->first; t; t = t->next)
        ret->tables[ret->n++] = (struct rows_table){t->key, number(t)};
    return true;
}

const char *manifest_parse(struct ost_step *step, char *text, struct manifest *ret)
{
    static const char *const kinds[] = {"postgres", "mysql", "files"};
    const char *why = "it is no JSON", *kind;
    const struct json *j = json_read(step, text, strlen(text), false, &why);
    size_t i = 0;

    if (!j)
        return why;
    kind = json_text(j, "source");
    while (i < 3 && strcmp(kinds[i], kind) != 0)
        i++;
    *ret = (struct manifest){.file = json_text(j, "file"),
                             .created = json_text(j, "created"),
                             .kind = (enum kind)i,
                             .database = json_text(j, "database"),
                             .size = number(json_get(j, "size")),
                             .sha256 = json_text(j, "sha256"),
                             .entries = number(json_get(j, "entries")),
                             .verified = json_text(j, "verified"),
                             .rows = {.step = step}};
    if (number(json_get(j, "version")) != 1)
        return "it is of another version";
    if (i == 3 || !settings_is_name(ret->file) || manifest_time(ret->created) < 0 ||
        ret->size < 0 || ret->entries < 0 || strlen(ret->sha256) != 64 ||
        strspn(ret->sha256, "0123456789abcdef") != 64 ||
        (*ret->verified && manifest_time(ret->verified) < 0))
        return "a member is missing or wrong";
    return read_tables(json_get(j, "tables"), ret->kind, &ret->rows) ? NULL
                                                                     : "its tables are wrong";
}

/* ---- in a store ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

ost_status manifest_list(struct store *s, struct strings *ret)
{
    struct strings all = {0};
    ost_status r = s->list(s, ost_fmt(s->step, "%s-", s->set->name), &all);

    for (size_t i = 0; r == OST_OK && i < all.n; i++) {
        const char *stamp = manifest_is_of(s->step, all.list[i], s->set->name);

        if (stamp)
            strings_add(s->step, ret, stamp);
    }
    if (ret->n > 0)
        qsort(ret->list, ret->n, sizeof *ret->list, by_text);
    return r;
}

ost_status manifest_load(struct store *s, const char *stamp, struct manifest *ret)
{
    const char *name = manifest_name(s->step, s->set->name, stamp), *why;
    char *text = NULL;
    ost_status r = store_get_text(s, name, MANIFEST_SIZE_MAX, &text);

    if (r < 0)
        return r;
    why = manifest_parse(s->step, text, ret);
    if (!why && strcmp(ret->created, stamp) != 0)
        why = "it is another backup's";
    if (!why && strncmp(ret->file, s->set->name, strlen(s->set->name)) != 0)
        why = "it names a file of another name";
    return why ? ost_fail(s->step, OST_E_FAILED, "'%s' is no manifest: %s", name, why) : OST_OK;
}

ost_status manifest_save(struct store *s, const struct manifest *m)
{
    return store_put_text(s, manifest_name(s->step, s->set->name, m->created),
                          manifest_format(s->step, s->set->name, m));
}
