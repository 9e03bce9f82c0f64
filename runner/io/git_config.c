#include "io/git_config.h"

#include <fcntl.h>

#include "base/path.h"

enum { CONFIG_MAX = 4 << 20, INCLUDE_DEPTH_MAX = 5, VALUE_MAX = 4096 };

struct parser {
    struct git_config *config;
    const char *dir, *home;
    int depth;
    struct slice section, subsection; /* of the last header; the subsection has its quotes off */
};

static void parse(struct parser *p, struct slice text);

static void parse_file(struct git_config *c, const char *path, const char *home, int depth)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_MAX);
    CLEANUP(free_ptr) char *dir = path_join(path, "..");
    CLEANUP(free_ptr) char *normal = path_normal(dir);
    struct err ignored = ERR_INIT;
    struct parser p = {.config = c, .dir = normal, .home = home, .depth = depth};

    if (path_read(AT_FDCWD, path, &text, &ignored) == ERR_OK)
        parse(&p, buf_slice(&text));
}

static void follow(struct parser *p, const char *path)
{
    CLEANUP(free_ptr) char *full = NULL;

    if (p->depth >= INCLUDE_DEPTH_MAX)
        return;
    if (path[0] == '~' && path[1] == '/' && p->home)
        full = path_join(p->home, path + 2);
    else
        full = path_join(p->dir, path);
    parse_file(p->config, full, p->home, p->depth + 1);
}

static void setting(struct parser *p, struct slice key, const struct buf *value)
{
    struct git_config *c = p->config;
    const struct {
        struct slice section, subsection, key;
        const char **to;
    } wanted[] = {
        {SLICE("remote"), SLICE("origin"), SLICE("url"), &c->origin},
        {SLICE("user"), SLICE(""), SLICE("name"), &c->user_name},
        {SLICE("user"), SLICE(""), SLICE("email"), &c->user_email},
        {SLICE("init"), SLICE(""), SLICE("defaultbranch"), &c->default_branch},
        {SLICE("branch"), slice_of(c->branch), SLICE("remote"), &c->remote},
        {SLICE("branch"), slice_of(c->branch), SLICE("merge"), &c->merge},
    };

    if (slice_eq_nocase(p->section, SLICE("include")) && !p->subsection.len &&
        slice_eq_nocase(key, SLICE("path"))) {
        follow(p, value->ptr);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (slice_eq_nocase(p->section, wanted[i].section) &&
            slice_eq(p->subsection, wanted[i].subsection) && slice_eq_nocase(key, wanted[i].key))
            *wanted[i].to = arena_str(c->arena, buf_slice(value));
    }
}

/* "[section]", or [section "subsection"]. */
static void header(struct parser *p, struct slice line)
{
    ssize_t quote = slice_find_char(line, '"');
    ssize_t end = slice_find_char(line, ']');

    if (quote > 0) {
        struct slice rest = slice_from(line, (size_t)quote + 1);
        ssize_t close = slice_find_char(rest, '"');

        p->section = slice_trim(slice_from(slice_head(line, (size_t)quote), 1));
        p->subsection = close < 0 ? SLICE("?") : slice_head(rest, (size_t)close);
        return;
    }
    p->section = slice_trim(slice_from(slice_head(line, end > 0 ? (size_t)end : line.len), 1));
    p->subsection = SLICE("");
}

/* A value up to the end of its line, which a backslash moves on: quotes off, escapes resolved, comment
 * and trailing blanks dropped. */
static void read_value(struct slice *text, struct buf *to)
{
    bool quoted = false;
    size_t keep = 0; /* what must stay when blanks are cut off the end */

    while (text->len && text->ptr[0] != '\n') {
        char c = text->ptr[0];

        *text = slice_from(*text, 1);
        if (c == '"') {
            quoted = !quoted;
            keep = to->len;
        } else if (c == '\\' && text->len) {
            char e = text->ptr[0];

            *text = slice_from(*text, 1);
            if (e != '\n')
                buf_add_char(to, (char)(e == 'n' ? '\n' : e == 't' ? '\t' : e));
            keep = to->len;
        } else if (!quoted && (c == '#' || c == ';')) {
            while (text->len && text->ptr[0] != '\n')
                *text = slice_from(*text, 1);
        } else if (c != '\r' && (to->len || quoted || (c != ' ' && c != '\t'))) {
            buf_add_char(to, c);
            if (quoted || (c != ' ' && c != '\t'))
                keep = to->len;
        }
    }
    buf_cut(to, keep);
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static void parse(struct parser *p, struct slice text)
{
    while (text.len) {
        ssize_t nl = slice_find_char(text, '\n');
        struct slice line = slice_head(text, nl < 0 ? text.len : (size_t)nl), key;
        CLEANUP(buf_deinit) struct buf value = BUF_INIT(VALUE_MAX);
        size_t n = 0;

        while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
            line = slice_from(line, 1);
        if (line.len && line.ptr[0] == '[')
            header(p, line);
        while (n < line.len && is_key_char(line.ptr[n]))
            n++;
        key = slice_head(line, n);
        line = slice_from(line, n);
        while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
            line = slice_from(line, 1);
        if (!key.len || !line.len || line.ptr[0] != '=') {
            text = slice_from(text, nl < 0 ? text.len : (size_t)nl + 1);
            continue;
        }
        text = slice_from(text, (size_t)(line.ptr + 1 - text.ptr));
        read_value(&text, &value);
        if (!value.overflow)
            setting(p, key, &value);
    }
}

void git_config_parse(struct git_config *c, struct slice text, const char *dir)
{
    struct parser p = {.config = c, .dir = dir};

    parse(&p, text);
}

void git_config_user(struct git_config *c, const struct git_env *env)
{
    parse_file(c, "/etc/gitconfig", env->home, 0);
    if (env->xdg_config_home && *env->xdg_config_home) {
        CLEANUP(free_ptr) char *path = path_join(env->xdg_config_home, "git/config");
        parse_file(c, path, env->home, 0);
    } else if (env->home) {
        CLEANUP(free_ptr) char *path = path_join(env->home, ".config/git/config");
        parse_file(c, path, env->home, 0);
    }
    if (env->home) {
        CLEANUP(free_ptr) char *path = path_join(env->home, ".gitconfig");
        parse_file(c, path, env->home, 0);
    }
}

void git_config_repository(struct git_config *c, const char *git_dir, const char *common_dir)
{
    CLEANUP(free_ptr) char *shared = path_join(common_dir, "config");
    CLEANUP(free_ptr) char *own = path_join(git_dir, "config.worktree");

    parse_file(c, shared, NULL, 0);
    parse_file(c, own, NULL, 0);
}
