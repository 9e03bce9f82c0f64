#include "cli/site.h"

#include "base/buf.h"
#include "base/vec.h"
#include "cli/config.h"
#include "cli/settings.h"

#include <stdlib.h>

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

static int adopt_env(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_SIZE_MAX);
    int r = read_file(path, &text, err);
    struct slice rest = buf_slice(&text), line;

    if (r < 0)
        return r;
    while (slice_split(&rest, '\n', &line))
        adopt_line(line.len && line.ptr[line.len - 1] == '\r' ? slice_head(line, line.len - 1)
                                                              : line);
    return ERR_OK;
}

static int adopt_path(const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_SIZE_MAX);
    int r = read_file(path, &text, err);
    struct slice all = slice_trim(buf_slice(&text));

    if (r < 0 || all.len == 0)
        return r;
    if (slice_find_char(all, '\n') >= 0)
        return err_set(err, ERR_INVALID, "'%s' has more than one line: it holds a PATH, as in '%s'",
                       path, "/usr/local/bin:/usr/bin:/bin");
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
static void adopt_certificates(void)
{
    static const char *const others[] = {"CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS",
                                         "REQUESTS_CA_BUNDLE"};
    const char *file = settings_env("SSL_CERT_FILE");

    for (size_t i = 0; file && i < COUNT_OF(others); i++)
        (void)setenv(others[i], file, 0);
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
