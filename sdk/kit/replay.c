/* Plays a transcript of "ostler plugin run --record" back: what was asked then is answered as it was then. */
#include "kit/own.h"

#include "base/path.h"
#include "lib/json.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <strings.h>

enum { REPLAY_MAX = 64 << 20 };

struct kit_line { /* one recorded call */
    const char *call, *error;
    const struct json *ask, *answer;
    ost_status status;
    bool played;
};

/* ---- reading ---- */

int64_t kit_int(const struct json *j, const char *name)
{
    const struct json *n = json_get(j, name);

    return n && n->kind == JSON_NUMBER ? strtoll(n->text, NULL, 10) : 0;
}

static bool is_path_char(char c)
{
    return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", c);
}

/* Which of the folders FROM stands at TEXT, where no name goes on; the longest; -1: none. */
static int folder_at(const char *text, const char *const *from, bool inside_name)
{
    int found = -1;

    for (int i = 0; !inside_name && i <= OST_DIR_SELF; i++) {
        size_t n = from[i] ? strlen(from[i]) : 0;

        if (n > 1 && strncmp(text, from[i], n) == 0 && !is_path_char(text[n]) &&
            (found < 0 || n > strlen(from[found])))
            found = i;
    }
    return found;
}

/* TEXT with the job's folders of then, FROM, become those of this test. */
static char *move_folders(struct ost_test *t, const char *text, const char *const *from)
{
    struct buf moved = BUF_INIT(2 * REPLAY_MAX);

    for (const char *at = text; *at;) {
        bool inside_name = at > text && (is_path_char(at[-1]) || at[-1] == '/');
        int i = folder_at(at, from, inside_name);

        if (i < 0) {
            buf_add_char(&moved, *at++);
            continue;
        }
        buf_add_str(&moved, t->dirs[i]);
        at += strlen(from[i]);
    }
    return kit_keep(t, buf_take(&moved));
}

static const struct json *read_line(struct ost_test *t, char *text)
{
    const char *why;
    const struct json *j = json_read(&t->step, text, strlen(text), false, &why);

    if (!j)
        kit_fail("the transcript '%s' has a line that is no JSON: %s", t->replay, why);
    return j;
}

static void add_missing(pairs *to, const char *name, const char *value)
{
    if (name && value && !kit_pair(to, name))
        vec_push(to, (struct pair){kit_copy(name), kit_copy(value)});
}

/* What the first line says: whose transcript it is, its inputs and its folders. */
static bool read_head(struct ost_test *t, const struct json *head, const char **from)
{
    static const char *const dirs[] = {"workspace", "temp", "tools", "home", "self"};
    const struct json *with = json_get(head, "with");

    if (kit_int(head, "transcript") != 1) {
        kit_fail("'%s' is no transcript of this version", t->replay);
        return false;
    }
    if (strcasecmp(json_text(head, "plugin"), t->plugin->id) != 0) {
        kit_fail("'%s' is a transcript of '%s', not of '%s'", t->replay, json_text(head, "plugin"),
                 t->plugin->id);
        return false;
    }
    for (const struct json *in = with ? with->first : NULL; in; in = in->next)
        if (kit_find_input(t, in->key))
            add_missing(&t->with, in->key, in->text);
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        from[i] = json_text(json_get(head, "dirs"), dirs[i]);
    return true;
}

static void add_call(struct ost_test *t, const struct json *line)
{
    const struct json *answer = json_get(line, "answer"), *ask = json_get(line, "ask");
    const struct json *value = json_get(answer, "value");
    const char *call = json_text(line, "call");

    if (strcmp(call, "context") == 0 && value && value->kind == JSON_TEXT)
        add_missing(&t->contexts, json_text(ask, "name"), value->text);
    if (strcmp(call, "saved") == 0 && value && value->kind == JSON_TEXT)
        add_missing(&t->given, json_text(ask, "name"), value->text);
    vec_push(&t->script, (struct kit_line){
                             .call = call,
                             .error = json_text(line, "error"),
                             .ask = ask,
                             .answer = answer,
                             .status = (ost_status)kit_int(line, "status"),
                         });
}

/* Every call but those that are answered from what is arranged, by name. */
static bool is_played(const char *call)
{
    return strcmp(call, "exec") == 0 || strcmp(call, "temp") == 0 ||
           (strchr(call, '.') && strcmp(call, "progress.update") != 0 &&
            strcmp(call, "mask.apply") != 0);
}

void kit_replay_load(struct ost_test *t, int phase)
{
    static const char *const names[] = {"plan", "pre", "main", "post"};
    CLEANUP(buf_deinit) struct buf content = BUF_INIT(REPLAY_MAX);
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(4096);
    const char *from[OST_DIR_SELF + 1] = {NULL};
    struct err err = ERR_INIT;
    char *rest, *line;

    if (!t->replay)
        return;
    buf_printf(&name, "%s/%s.jsonl", t->replay, names[phase]);
    if (path_read(AT_FDCWD, name.ptr, &content, &err) < 0) {
        kit_fail("%s", err.text);
        return;
    }
    rest = kit_keep(t, kit_copy(content.ptr));
    const struct json *head = read_line(t, strsep(&rest, "\n"));
    if (!head || !read_head(t, head, from))
        return;
    t->playing = true;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line && (head = read_line(t, move_folders(t, line, from))))
            add_call(t, head);
}

/* ---- comparing ---- */

/* A recorded text, in which "***" stands for a secret, and so for any text. */
static bool same_text(const char *recorded, const char *text)
{
    const char *stars = strstr(recorded, "***");
    size_t n = stars ? (size_t)(stars - recorded) : 0;

    if (!stars)
        return strcmp(recorded, text) == 0;
    if (strncmp(recorded, text, n) != 0)
        return false;
    for (const char *at = text + n; *at; at++)
        if (same_text(stars + 3, at))
            return true;
    return !stars[3];
}

static bool same(const struct json *recorded, const struct json *now);

static bool same_items(const struct json *recorded, const struct json *now)
{
    const struct json *a = recorded->first, *b = now->first;

    for (; a && b; a = a->next, b = b->next)
        if (!same(a, recorded->kind == JSON_OBJECT ? json_get(now, a->key) : b))
            return false;
    return !a && !b;
}

static bool same(const struct json *recorded, const struct json *now)
{
    if (!now || recorded->kind != now->kind)
        return !now && !recorded;
    if (recorded->kind == JSON_ARRAY || recorded->kind == JSON_OBJECT)
        return same_items(recorded, now);
    return (recorded->kind != JSON_TEXT && recorded->kind != JSON_NUMBER) ||
           same_text(recorded->text, now->text);
}

/* ---- playing ---- */

const struct json *kit_play(struct ost_test *t, const char *call, struct buf *ask, ost_status *ret)
{
    char *text = kit_keep(t, buf_take(ask));
    const char *why, *shown = kit_keep_text(t, text);
    const struct json *now = json_read(&t->step, text, strlen(text), false, &why);

    VEC_EACH (line, &t->script) {
        if (line->played || strcmp(line->call, call) != 0 || !line->ask || !same(line->ask, now))
            continue;
        line->played = true;
        *ret = line->status < 0 ? kit_refuse(t, line->status, line->error) : OST_OK;
        return line->answer;
    }
    kit_broken(t, "it asked what the transcript does not have, or not so often: %s %s", call,
               shown);
    *ret = kit_refuse(t, OST_E_FAILED, "the transcript has no such call");
    return NULL;
}

const char *const *kit_texts(struct ost_test *t, const struct json *list, size_t *n)
{
    size_t room = 1;

    for (const struct json *item = list ? list->first : NULL; item; item = item->next)
        room++;
    const char **found = kit_keep(t, mem_new(room * sizeof *found));
    *n = 0;
    for (const struct json *item = list ? list->first : NULL; item; item = item->next)
        found[(*n)++] = item->text;
    return found;
}

void kit_replay_clear(struct ost_test *t)
{
    vec_deinit(&t->script);
    t->playing = false;
}

/* ---- the test's side ---- */

void ost_test_replay(struct ost_test *t, const char *folder)
{
    free(t->replay);
    t->replay = kit_copy(folder);
}

size_t ost_test_unplayed(const struct ost_test *t, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (line, &t->script)
        n += !line->played && is_played(line->call) && fnmatch(pattern, line->call, 0) == 0;
    return n;
}
