#include "cli/site.h"

#include "base/buf.h"
#include "base/vec.h"
#include "cli/config.h"
#include "cli/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static VEC(const char *) names; /* until the process ends */

const char *const *site_names(void)
{
    static const char *const none[] = {NULL};

    return names.len ? names.ptr : none;
}

/* ---- files ---- */

/* Empty when there is none. */
static int read_file(const char *path, struct buf *text, struct err *err)
{
    struct err why = ERR_INIT;
    int r = config_load(path, text, &why);

    if (r == ERR_NOT_FOUND)
        return ERR_OK;
    if (r < 0)
        *err = why;
    else if (text->len && memchr(text->ptr, '\0', text->len))
        r = err_set(err, ERR_INVALID, "'%s' holds a NUL byte: it is not a text file", path);
    return r;
}

/* The value is verbatim, as GitHub's runner takes it. */
static void adopt_line(struct slice line)
{
    ssize_t at = slice_find_char(line, '=');

    if (at <= 0)
        return;
    char *name = mem_dup(line.ptr, (size_t)at);
    CLEANUP(free_ptr) char *value = mem_dup(line.ptr + at + 1, line.len - (size_t)at - 1);
    if (*value)
        (void)setenv(name, value, 1); /* only memory could be lacking */
    else
        (void)unsetenv(name);
    vec_push(&names, name);
}

static struct slice without_return(struct slice line)
{
    return line.len && line.ptr[line.len - 1] == '\r' ? slice_head(line, line.len - 1) : line;
}

static int adopt_env(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_SIZE_MAX);
    int r = read_file(path, &text, err);
    struct slice rest = buf_slice(&text), line;

    if (r < 0)
        return r;
    while (slice_split(&rest, '\n', &line))
        adopt_line(without_return(line));
    return ERR_OK;
}

/* *RET: its one line, in TEXT. */
static int read_path(const char *path, struct buf *text, struct slice *ret, struct err *err)
{
    int r = read_file(path, text, err);

    *ret = slice_trim(buf_slice(text));
    if (r == ERR_OK && slice_find_char(*ret, '\n') >= 0)
        return err_set(err, ERR_INVALID, "'%s' has more than one line: it holds a PATH, as in '%s'",
                       path, "/usr/local/bin:/usr/bin:/bin");
    return r;
}

static int adopt_path(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_SIZE_MAX);
    struct slice all;
    int r = read_path(path, &text, &all, err);

    if (r < 0 || all.len == 0)
        return r;
    CLEANUP(free_ptr) char *value = mem_dup(all.ptr, all.len);
    (void)setenv("PATH", value, 1);
    return ERR_OK;
}

/* ---- proxies and certificates ---- */

/* Some programs know the one spelling only, some the other. */
static void adopt_proxy(const char *lower, const char *upper, bool is_url)
{
    const char *value = settings_env(lower) ? settings_env(lower) : settings_env(upper);

    if (!value)
        return;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *full =
        arena_printf(&a, "%s%s", is_url && !strstr(value, "://") ? "http://" : "", value);
    (void)setenv(lower, full, 1);
    (void)setenv(upper, full, 1);
}

/* The file holds all authorities that count here; what Node gets comes on top of its own. */
static const char *const certificates[] = {"CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
                                           "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"};

static void adopt_certificates(void)
{
    const char *file = settings_env("SSL_CERT_FILE");

    for (size_t i = 0; file && i < COUNT_OF(certificates); i++)
        (void)setenv(certificates[i], file, 0);
}

static int adopt_folder(const char *folder, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    int r = adopt_env(arena_printf(&a, "%s/.env", folder), err);

    return r < 0 ? r : adopt_path(arena_printf(&a, "%s/.path", folder), err);
}

int site_adopt(struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *const *folders = settings_config_folders(&a);

    for (; *folders; folders++) {
        int r = adopt_folder(*folders, err);

        if (r < 0)
            return r;
    }
    vec_push(&names, NULL);
    adopt_proxy("http_proxy", "HTTP_PROXY", true);
    adopt_proxy("https_proxy", "HTTPS_PROXY", true);
    adopt_proxy("all_proxy", "ALL_PROXY", true);
    adopt_proxy("no_proxy", "NO_PROXY", false);
    adopt_certificates();
    return ERR_OK;
}

/* ---- of one registration ---- */

struct overlay { /* an environment that is changed */
    struct arena *arena;
    VEC(const char *) list;
    bool changed, net;
};

static bool is_called(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static void overlay_set(struct overlay *o, const char *name, const char *value)
{
    for (size_t i = o->list.len; i-- > 0;)
        if (is_called(o->list.ptr[i], name))
            vec_remove(&o->list, i);
    if (*value)
        vec_push(&o->list, arena_printf(o->arena, "%s=%s", name, value));
    o->changed = true;
}

static bool is_of_net(const char *name)
{
    static const char *const known[] = {"http_proxy",    "https_proxy",
                                        "all_proxy",     "no_proxy",
                                        "SSL_CERT_FILE", "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcasecmp(name, known[i]) == 0)
            return true;
    return false;
}

/* Both spellings of a proxy, with a scheme; the other names of a file of certificates. */
static void overlay_also(struct overlay *o, const char *name, const char *value)
{
    bool proxy = strlen(name) > 6 && strcasecmp(name + strlen(name) - 6, "_proxy") == 0;
    bool plain = strcasecmp(name, "no_proxy") == 0 || strstr(value, "://") || !*value;

    if (proxy && is_of_net(name)) {
        const char *full = plain ? value : arena_printf(o->arena, "http://%s", value);
        char *lower = arena_str(o->arena, slice_of(name)),
             *upper = arena_str(o->arena, slice_of(name));

        for (size_t i = 0; name[i]; i++) {
            lower[i] = (char)tolower((unsigned char)name[i]);
            upper[i] = (char)toupper((unsigned char)name[i]);
        }
        overlay_set(o, lower, full);
        overlay_set(o, upper, full);
    }
    for (size_t i = 0; strcmp(name, "SSL_CERT_FILE") == 0 && i < COUNT_OF(certificates); i++)
        overlay_set(o, certificates[i], value);
}

static void overlay_line(struct overlay *o, struct slice line)
{
    ssize_t at = slice_find_char(line, '=');

    if (at <= 0)
        return;
    const char *name = arena_str(o->arena, slice_head(line, (size_t)at));
    const char *value = arena_str(o->arena, slice_from(line, (size_t)at + 1));
    overlay_set(o, name, value);
    overlay_also(o, name, value);
    o->net |= is_of_net(name);
}

static void overlay_deinit(struct overlay *o)
{
    vec_deinit(&o->list);
}

int site_of_folder(struct arena *a, const char *folder, const char *const *base,
                   const char *const **ret, bool *ret_net, struct err *err)
{
    CLEANUP(overlay_deinit) struct overlay o = {.arena = a};
    CLEANUP(buf_deinit)
    struct buf env = BUF_INIT(CONFIG_SIZE_MAX), path = BUF_INIT(CONFIG_SIZE_MAX);
    struct slice rest, line, all;
    int r = read_file(arena_printf(a, "%s/.env", folder), &env, err);

    if (r == ERR_OK)
        r = read_path(arena_printf(a, "%s/.path", folder), &path, &all, err);
    if (r < 0)
        return r;
    for (const char *const *one = base; *one; one++)
        vec_push(&o.list, *one);
    rest = buf_slice(&env);
    while (slice_split(&rest, '\n', &line))
        overlay_line(&o, without_return(line));
    if (all.len)
        overlay_set(&o, "PATH", arena_str(a, all));
    *ret_net = o.net;
    *ret = base;
    if (!o.changed)
        return ERR_OK;
    vec_push(&o.list, NULL);
    const char **list = arena_array(a, o.list.len, sizeof *list);
    memcpy(list, o.list.ptr, o.list.len * sizeof *list);
    *ret = list;
    return ERR_OK;
}
