/* ostler plugin new: a project that builds, tests and checks itself at once. */
#include "cli/plugin/cmds.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/plugin/templates.h"
#include "plugin/rules.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 1 << 20, NAME_SIZE_MAX = 100 };

struct project {
    const char *lang, *owner, *name;
    const char *symbol; /* the name as languages want names */
    const char *dir;
};

/* ---- names ---- */

/* What a folder, a CMake target and a crate can be called alike. */
static bool is_plain(struct slice part)
{
    return part.len && part.len <= NAME_SIZE_MAX && isalnum((unsigned char)part.ptr[0]);
}

static int read_name(struct arena *a, const char *text, struct project *ret, struct err *err)
{
    struct slice rest = slice_of(text), owner = {0}, name = {0}, more;
    bool two = slice_split(&rest, '/', &owner) && slice_split(&rest, '/', &name) &&
               !slice_split(&rest, '/', &more);

    if (!two || !rules_is_id(slice_of(text)) || !is_plain(owner) || !is_plain(name))
        return err_set(err, ERR_INVALID,
                       "'%.120s' cannot be the name of a new plugin: it is 'owner/name', each of "
                       "letters, digits, '.', '_' and '-', beginning with a letter or digit",
                       text);
    ret->owner = arena_str(a, owner);
    ret->name = arena_str(a, name);
    char *symbol =
        arena_printf(a, "%s%s", isdigit((unsigned char)*ret->name) ? "n" : "", ret->name);
    for (char *c = symbol; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
    ret->symbol = symbol;
    return ERR_OK;
}

static int read_lang(const char *lang, struct project *ret, struct err *err)
{
    ret->lang = lang ? lang : "c";
    for (size_t i = 0; i < plugin_templates_count; i++)
        if (strcmp(plugin_templates[i].lang, ret->lang) == 0)
            return ERR_OK;
    return err_set(err, ERR_INVALID, "there is no template for '%.40s': --lang is c, cpp or rust",
                   lang);
}

/* ---- files ---- */

/* A template's text with the names in it. */
static void fill_in(const struct project *p, const char *text, struct buf *to)
{
    const struct {
        struct slice mark;
        const char *value;
    } marks[] = {
        {SLICE("@OWNER@"), p->owner},
        {SLICE("@NAME@"), p->name},
        {SLICE("@SYMBOL@"), p->symbol},
    };
    struct slice rest = slice_of(text);

    while (rest.len) {
        size_t i = 0;

        while (i < COUNT_OF(marks) && !slice_starts(rest, marks[i].mark))
            i++;
        if (i < COUNT_OF(marks))
            buf_add_str(to, marks[i].value);
        else
            buf_add_char(to, *rest.ptr);
        rest = slice_from(rest, i < COUNT_OF(marks) ? marks[i].mark.len : 1);
    }
}

/* Where a template's file goes: NAME stands for the name, and what begins with a dot is kept without one, so that
 * nobody's tools take the template for the thing itself. The caller frees it. */
static char *target_of(const struct project *p, const char *path)
{
    struct slice rest = slice_of(path), prefix = SLICE("dot.");
    struct buf out = BUF_INIT(4096);

    buf_printf(&out, "%s/", p->dir);
    if (slice_starts(rest, prefix))
        rest = slice_from(rest, prefix.len - 1);
    ssize_t at = slice_find(rest, SLICE("NAME"));
    if (at < 0) {
        buf_add(&out, rest);
    } else {
        buf_add(&out, slice_head(rest, (size_t)at));
        buf_add_str(&out, p->name);
        buf_add(&out, slice_from(rest, (size_t)at + 4));
    }
    return buf_take(&out);
}

static int create(const char *path, struct slice text, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(free_ptr) char *folder = mem_dup(path, (size_t)(path_base(path) - path - 1));
    int r = path_mkdirs(AT_FDCWD, folder, 0777, err);

    if (r < 0)
        return r;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd < 0 ? err_sys(err, "cannot create '%s'", path) : fd_write_all(fd, text, err);
}

typedef int file_fn(const struct project *p, const struct plugin_template *t, const char *path,
                    struct err *err);

/* Nothing that is there is overwritten, and nothing is made where something is. */
static int must_be_free(const struct project *p, const struct plugin_template *t, const char *path,
                        struct err *err)
{
    (void)p;
    (void)t;
    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_INVALID,
                       "'%s' is there already: nothing was made (--dir names another folder)",
                       path);
    return errno == ENOENT ? ERR_OK : err_sys(err, "cannot make '%s'", path);
}

static int make_file(const struct project *p, const struct plugin_template *t, const char *path,
                     struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FILE_SIZE_MAX);

    fill_in(p, t->text, &text);
    int r = create(path, buf_slice(&text), err);
    if (r == ERR_OK)
        printf("%s\n", path);
    return r;
}

static int each_file(const struct project *p, file_fn *fn, struct err *err)
{
    int r = ERR_OK;

    for (size_t i = 0; r == ERR_OK && i < plugin_templates_count; i++) {
        const struct plugin_template *t = &plugin_templates[i];

        if (strcmp(t->lang, p->lang) != 0)
            continue;
        CLEANUP(free_ptr) char *path = target_of(p, t->path);
        r = fn(p, t, path, err);
    }
    return r;
}

int plugin_cmd_new(struct arena *a, struct plugin_options *o)
{
    struct project p = {0};
    struct err err = ERR_INIT;

    if (read_name(a, o->target, &p, &err) < 0 || read_lang(o->lang, &p, &err) < 0)
        return plugin_fail(&err);
    p.dir = o->dir ? o->dir : p.name;
    if (each_file(&p, must_be_free, &err) < 0 || each_file(&p, make_file, &err) < 0)
        return plugin_fail(&err);
    (void)fflush(stdout); /* the names come first, also where both go to one file */
    fprintf(stderr, "made the plugin %s/%s: '%s/README.md' says how to build and try it\n", p.owner,
            p.name, p.dir);
    return EXIT_OK;
}
