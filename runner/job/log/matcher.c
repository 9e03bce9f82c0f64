#include "job/log/matcher.h"

#include "base/num.h"

static const char *const field_names[MATCH_FIELDS] = {
    [MATCH_FILE] = "file",         [MATCH_LINE] = "line", [MATCH_COLUMN] = "column",
    [MATCH_SEVERITY] = "severity", [MATCH_CODE] = "code", [MATCH_MESSAGE] = "message",
    [MATCH_FROM_PATH] = "fromPath"};

enum { NO_GROUP = -1 };

struct pattern {
    struct regex *regex;
    int groups[MATCH_FIELDS]; /* which group is which field; NO_GROUP: none */
    bool loop;
};

struct matcher {
    char *owner;
    char *severity, *from_path; /* for lines that give none; "" */
    struct pattern *patterns;
    size_t n_patterns;
};

/* ---- configuration ---- */

/* The text KEY; "" when there is none. */
static int text_of(const json_t *config, const char *key, char **ret, struct err *err)
{
    const json_t *value = json_object_get(config, key);

    if (value && !json_is_null(value) && !json_is_string(value))
        return err_set(err, ERR_INVALID, "'%s' must be a text", key);
    *ret = mem_dup(json_string_value(value), json_string_length(value));
    return ERR_OK;
}

/* A number of a group, which may be written as a text, as on GitHub. */
static int group_of(const json_t *config, enum match_field field, size_t n_groups, int *ret,
                    struct err *err)
{
    const json_t *value = json_object_get(config, field_names[field]);
    struct err ignored = ERR_INIT; /* told better below */
    int64_t n = json_integer_value(value);

    *ret = NO_GROUP;
    if (!value || json_is_null(value))
        return ERR_OK;
    if (json_is_string(value) ? num_parse_i64(slice_of(json_string_value(value)), INT32_MIN,
                                              INT32_MAX, &n, &ignored) < 0
                              : !json_is_integer(value))
        return err_set(err, ERR_INVALID, "'%s' must be the number of a group", field_names[field]);
    if (n < 0 || (uint64_t)n >= n_groups)
        return err_set(err, ERR_INVALID,
                       "'%s' is group %lld, which is out of range: 'regexp' has the groups 0 to "
                       "%zu",
                       field_names[field], (long long)n, n_groups - 1);
    *ret = (int)n;
    return ERR_OK;
}

static int read_pattern(struct pattern *p, const json_t *config, struct err *err)
{
    const json_t *regexp = json_object_get(config, "regexp"),
                 *loop = json_object_get(config, "loop");

    if (!json_is_object(config))
        return err_set(err, ERR_INVALID, "it must be an object with 'regexp'");
    if (!json_is_string(regexp))
        return err_set(err, ERR_INVALID, "'regexp' must be a text");
    if (loop && !json_is_boolean(loop) && !json_is_null(loop))
        return err_set(err, ERR_INVALID, "'loop' must be true or false");
    p->loop = json_is_true(loop);
    int r = regex_new(slice_make(json_string_value(regexp), json_string_length(regexp)), &p->regex,
                      err);
    if (r < 0)
        return err_in(err, "'regexp'");
    for (enum match_field f = 0; f < MATCH_FIELDS && r == ERR_OK; f++)
        r = group_of(config, f, regex_groups(p->regex), &p->groups[f], err);
    return r;
}

/* What pattern I may be, given those before it. */
static int check_pattern(const struct matcher *m, size_t i, struct err *err)
{
    const struct pattern *p = &m->patterns[i];

    if (p->loop && (i == 0 || i + 1 < m->n_patterns))
        return err_set(err, ERR_INVALID, "only the last of several patterns may set 'loop'");
    if (p->loop && p->groups[MATCH_MESSAGE] == NO_GROUP)
        return err_set(err, ERR_INVALID, "the pattern with 'loop' must set 'message'");
    for (enum match_field f = 0; f < MATCH_FIELDS; f++)
        for (size_t k = 0; k < i && p->groups[f] != NO_GROUP; k++)
            if (m->patterns[k].groups[f] != NO_GROUP)
                return err_set(err, ERR_INVALID, "'%s' is set twice, by pattern %zu already",
                               field_names[f], k + 1);
    return ERR_OK;
}

static int read_patterns(struct matcher *m, const json_t *list, struct err *err)
{
    size_t n = json_array_size(list);
    bool message = false;

    if (list && !json_is_null(list) && !json_is_array(list))
        return err_set(err, ERR_INVALID, "'pattern' must be a list");
    if (n == 0)
        return err_set(err, ERR_INVALID, "it has no patterns");
    if (n > MATCHER_PATTERNS_MAX)
        return err_set(err, ERR_LIMIT, "it has %zu patterns, %d at most", n, MATCHER_PATTERNS_MAX);
    m->patterns = mem_new(n * sizeof *m->patterns);
    m->n_patterns = n;
    for (size_t i = 0; i < n; i++) {
        int r = read_pattern(&m->patterns[i], json_array_get(list, i), err);

        if (r == ERR_OK)
            r = check_pattern(m, i, err);
        if (r < 0)
            return err_in(err, "pattern %zu", i + 1);
        message |= m->patterns[i].groups[MATCH_MESSAGE] != NO_GROUP;
    }
    return message ? ERR_OK : err_set(err, ERR_INVALID, "at least one pattern must set 'message'");
}

static bool is_severity(struct slice text)
{
    return text.len == 0 || slice_eq_nocase(text, SLICE("error")) ||
           slice_eq_nocase(text, SLICE("warning")) || slice_eq_nocase(text, SLICE("notice"));
}

static int read_config(struct matcher *m, const json_t *config, struct err *err)
{
    int r = text_of(config, "severity", &m->severity, err);

    if (r == ERR_OK)
        r = text_of(config, "fromPath", &m->from_path, err);
    if (r < 0)
        return r;
    if (!is_severity(slice_of(m->severity)))
        return err_set(err, ERR_INVALID, "'severity' is '%.60s': write error, warning or notice",
                       m->severity);
    return read_patterns(m, json_object_get(config, "pattern"), err);
}

int matcher_new(const json_t *config, struct matcher **ret, struct err *err)
{
    struct matcher *m = mem_new(sizeof *m);
    int r = json_is_object(config) ? text_of(config, "owner", &m->owner, err)
                                   : err_set(err, ERR_INVALID, "a matcher must be an object");

    if (r == ERR_OK && !m->owner[0])
        r = err_set(err, ERR_INVALID, "a matcher has no 'owner'");
    else if (r == ERR_OK && strlen(m->owner) > MATCHER_OWNER_MAX)
        r = err_set(err, ERR_LIMIT, "an 'owner' is longer than %d bytes", MATCHER_OWNER_MAX);
    else if (r == ERR_OK && (r = read_config(m, config, err)) < 0)
        r = err_in(err, "matcher '%.60s'", m->owner);
    if (r < 0)
        matcher_free(m);
    else
        *ret = m;
    return r;
}

struct matcher *matcher_free(struct matcher *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->n_patterns; i++)
        regex_free(m->patterns[i].regex);
    free(m->patterns);
    free(m->owner);
    free(m->severity);
    free(m->from_path);
    free(m);
    return NULL;
}

const char *matcher_owner(const struct matcher *m)
{
    return m->owner;
}

/* ---- progress ---- */

/* What the patterns up to one found, the last of them in the latest line. */
struct slot {
    bool held;
    struct buf text;
    struct {
        size_t at, len;
    } fields[MATCH_FIELDS];
};

struct progress {
    size_t n_slots; /* one for each pattern but the last */
    struct slot slots[];
};

struct progress *progress_new(const struct matcher *m)
{
    size_t n = m->n_patterns - 1;
    struct progress *p = mem_new(sizeof *p + n * sizeof p->slots[0]);

    p->n_slots = n;
    for (size_t i = 0; i < n; i++)
        p->slots[i].text = (struct buf)BUF_INIT(MATCH_FIELDS * MATCHER_CARRIED_MAX);
    return p;
}

struct progress *progress_free(struct progress *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->n_slots; i++)
        buf_deinit(&p->slots[i].text);
    free(p);
    return NULL;
}

/* The texts stay: a match that was handed out may borrow them. */
void progress_reset(struct progress *p)
{
    for (size_t i = 0; i < p->n_slots; i++)
        p->slots[i].held = false;
}

/* TEXT without what is over the limit, cut between characters. */
static struct slice carried(struct slice text)
{
    size_t len = MATCHER_CARRIED_MAX;

    if (text.len <= len)
        return text;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--;
    return slice_head(text, len);
}

static void hold(struct slot *s, const struct match *found)
{
    buf_clear(&s->text);
    for (size_t f = 0; f < MATCH_FIELDS; f++) {
        struct slice text = carried(found->fields[f]);

        s->fields[f].at = s->text.len;
        s->fields[f].len = text.len;
        buf_add(&s->text, text);
    }
    s->held = true;
}

static struct slice held(const struct slot *s, size_t field)
{
    return slice_make(s->text.ptr + s->fields[field].at, s->fields[field].len);
}

/* What P's regex just captured, and what the slot BEFORE it (NULL: none) holds. No two patterns of a
 * matcher set the same field. */
static void merge(const struct pattern *p, const struct slot *before, struct match *ret)
{
    for (size_t f = 0; f < MATCH_FIELDS; f++) {
        if (p->groups[f] != NO_GROUP)
            ret->fields[f] = regex_group(p->regex, (size_t)p->groups[f]);
        else
            ret->fields[f] = before ? held(before, f) : SLICE("");
    }
}

/* The last pattern matched. */
static void complete(const struct matcher *m, struct progress *p, struct match *ret)
{
    const struct pattern *last = &m->patterns[p->n_slots];

    merge(last, p->n_slots ? &p->slots[p->n_slots - 1] : NULL, ret);
    if (ret->fields[MATCH_SEVERITY].len == 0)
        ret->fields[MATCH_SEVERITY] = slice_of(m->severity);
    if (ret->fields[MATCH_FROM_PATH].len == 0)
        ret->fields[MATCH_FROM_PATH] = slice_of(m->from_path);
    progress_reset(p);
    if (last->loop)
        p->slots[p->n_slots - 1].held = true; /* the next line may continue here */
}

/* From the last pattern to the first, so that what a line is held for cannot meet the same line again. */
enum regex_result matcher_feed(struct matcher *m, struct progress *p, struct slice line,
                               int64_t deadline_ms, struct match *ret)
{
    for (size_t i = m->n_patterns; i-- > 0;) {
        const struct pattern *pattern = &m->patterns[i];
        struct slot *before = i > 0 ? &p->slots[i - 1] : NULL;

        if (before && !before->held)
            continue;
        enum regex_result r = regex_find(pattern->regex, line, deadline_ms);
        if (r == REGEX_TIMEOUT)
            return r;
        if (i == p->n_slots) {
            if (r == REGEX_HIT) {
                complete(m, p, ret);
                return r;
            }
            if (before)
                before->held = false;
        } else if (r == REGEX_HIT) {
            struct match found;

            merge(pattern, before, &found);
            hold(&p->slots[i], &found);
        } else {
            p->slots[i].held = false;
        }
    }
    return REGEX_MISS;
}
