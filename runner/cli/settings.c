#include "cli/settings.h"

#include "base/num.h"
#include "base/path.h"
#include "base/vec.h"
#include "cli/site.h"
#include "store/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

const char *settings_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool settings_is_on(const char *value)
{
    struct slice text = slice_of(value);

    return slice_eq(text, SLICE("1")) || slice_eq_nocase(text, SLICE("true"));
}

bool settings_flag(const char *name)
{
    return settings_is_on(settings_env(name));
}

int64_t settings_minute_ms(void)
{
    const char *wanted = settings_env("OSTLER_TEST_MINUTE_MS");
    struct err ignored = ERR_INIT; /* then it is a real one */
    int64_t ms = 0;

    return wanted && num_parse_i64(slice_of(wanted), 1, 60000, &ms, &ignored) == ERR_OK ? ms : 0;
}

const char *settings_home(void)
{
    const char *home = settings_env("HOME");

    if (home && home[0] == '/')
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user && user->pw_dir && user->pw_dir[0] == '/' ? user->pw_dir : "/";
}

static const char *absolute_env(const char *name)
{
    const char *value = settings_env(name);
    return value && value[0] == '/' ? value : NULL; /* XDG: others are to be ignored */
}

const char *const *settings_config_folders(struct arena *a)
{
    const char *base = absolute_env("XDG_CONFIG_HOME");
    const char **list = arena_array(a, 3, sizeof *list);

    list[0] = "/etc/ostler";
    list[1] = base ? arena_printf(a, "%s/ostler", base)
                   : arena_printf(a, "%s/.config/ostler", settings_home());
    list[2] = NULL;
    return list;
}

const char *const *settings_config_files(struct arena *a)
{
    const char *const *folders = settings_config_folders(a);
    const char **files = arena_array(a, 3, sizeof *files);

    for (size_t i = 0; folders[i]; i++)
        files[i] = arena_printf(a, "%s/config.yml", folders[i]);
    return files;
}

/* ---- the state folder ---- */

static int try_state(const char *path, struct err *err)
{
    int r = path_mkdirs(AT_FDCWD, path, 0700, err);

    if (r < 0)
        return r;
    if (access(path, W_OK | X_OK) < 0)
        return err_sys(err, "cannot write to '%s'", path);
    return ERR_OK;
}

/* A folder in a place that all can write to must be ours and nobody else's. */
static int check_own(const char *path, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077))
        return err_set(err, ERR_DENIED, "'%s' is not a private folder of this user", path);
    return ERR_OK;
}

int settings_state(struct arena *a, const char **ret, const char **ret_note, struct err *err)
{
    const char *base = absolute_env("XDG_STATE_HOME");
    const char *wanted = base ? arena_printf(a, "%s/ostler", base)
                              : arena_printf(a, "%s/.local/state/ostler", settings_home());
    struct err why = ERR_INIT;

    *ret_note = NULL;
    if (try_state(wanted, &why) == ERR_OK) {
        *ret = wanted;
        return ERR_OK;
    }
    const char *temp = absolute_env("TMPDIR");
    const char *other = arena_printf(a, "%s/ostler-%u", temp ? temp : "/tmp", (unsigned)getuid());
    int r = try_state(other, err);
    if (r == ERR_OK)
        r = check_own(other, err);
    if (r < 0)
        return err_in(err, "runs have no place to be kept: %s, and", why.text);
    *ret = other;
    *ret_note = arena_printf(a, "%s: this run is kept in '%s'", why.text, other);
    return ERR_OK;
}

/* ---- registrations ---- */

int settings_registrations(struct arena *a, const char **ret, struct err *err)
{
    const char *state, *note;
    int r = settings_state(a, &state, &note, err);

    if (r < 0)
        return r;
    if (note) /* a folder for temporary files is no place for them */
        return err_set(err, ERR_DENIED,
                       "registrations have no place to be kept: name one with --dir");
    *ret = arena_printf(a, "%s/registrations", state);
    return ERR_OK;
}

/* ---- what runs ---- */

static const char service_folder[] = "/run/ostler"; /* systemd makes it for the unit that ships */

const char *const *settings_runtime_folders(struct arena *a)
{
    struct slice service = slice_of(settings_env("RUNTIME_DIRECTORY")), first = {0};
    const char *user = absolute_env("XDG_RUNTIME_DIR"), *state = absolute_env("XDG_STATE_HOME");
    const char **list = arena_array(a, 5, sizeof *list);
    size_t n = 0;

    /* systemd names all of a service's, with colons between them. */
    if (slice_split(&service, ':', &first) && first.len && first.ptr[0] == '/')
        list[n++] = arena_str(a, first);
    if (user)
        list[n++] = arena_printf(a, "%s/ostler", user);
    list[n++] = state ? arena_printf(a, "%s/ostler/run", state)
                      : arena_printf(a, "%s/.local/state/ostler/run", settings_home());
    list[n] = service_folder;
    return list;
}

int settings_listen_socket(struct arena *a, const char **ret, struct err *err)
{
    const char *const *folders = settings_runtime_folders(a);

    for (; *folders != service_folder; folders++) {
        struct err why = ERR_INIT;

        if (try_state(*folders, &why) == ERR_OK) {
            *ret = arena_printf(a, "%s/listen-%d.sock", *folders, (int)getpid());
            return ERR_OK;
        }
        *err = why; /* of the last one: that is this user's own */
    }
    return err->code;
}

enum logline_format settings_log_format(void)
{
    const char *journal = settings_env("JOURNAL_STREAM");
    char is[64];
    struct stat st;

    if (!journal || fstat(STDERR_FILENO, &st) < 0)
        return LOGLINE_TEXT;
    snprintf(is, sizeof is, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(is, journal) == 0 ? LOGLINE_JOURNAL : LOGLINE_TEXT;
}

int settings_notify(struct notify_spec *ret, bool *ret_wanted, struct err *err)
{
    const char *socket = settings_env("NOTIFY_SOCKET"), *pid = settings_env("WATCHDOG_PID"),
               *usec = settings_env("WATCHDOG_USEC");
    int64_t us = 0, whose = getpid();

    *ret_wanted = socket != NULL;
    if (!socket)
        return ERR_OK;
    if (usec && num_parse_i64(slice_of(usec), 1, INT64_MAX, &us, err) < 0)
        return err_in(err, "WATCHDOG_USEC");
    if (pid && num_parse_i64(slice_of(pid), 1, INT32_MAX, &whose, err) < 0)
        return err_in(err, "WATCHDOG_PID");
    ret->socket = socket;
    ret->watchdog_ms = whose == getpid() ? (us + 999) / 1000 : 0; /* else it is a parent's */
    return ERR_OK;
}

/* ---- what may be thrown away ---- */

const char *settings_cache_folder(struct arena *a)
{
    const char *base = absolute_env("XDG_CACHE_HOME");

    return base ? arena_printf(a, "%s/ostler", base)
                : arena_printf(a, "%s/.cache/ostler", settings_home());
}

const char *settings_caches(struct arena *a)
{
    return arena_printf(a, "%s/caches", settings_cache_folder(a));
}

/* ---- actions of other repositories ---- */

const char *settings_action_store(struct arena *a)
{
    return arena_printf(a, "%s/actions", settings_cache_folder(a));
}

const char *settings_action_source(void)
{
    const char *source = settings_env("OSTLER_ACTION_SOURCE");

    return source ? source : SOURCE_DEFAULT;
}

const char *const *settings_fetch_environ(struct arena *a)
{
    static const char *const names[] = {
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
        "GIT_ASKPASS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "SSH_AUTH_SOCK",
        "XDG_CONFIG_HOME",
        "USER",
        "LOGNAME",
        "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY",
    };
    const char **list = arena_array(a, COUNT_OF(names) + 2, sizeof *list);
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (settings_env(names[i]))
            list[n++] = arena_printf(a, "%s=%s", names[i], settings_env(names[i]));
    if (!settings_env("GIT_SSH") && !settings_env("GIT_SSH_COMMAND"))
        list[n++] = "GIT_SSH_COMMAND=ssh -o BatchMode=yes"; /* nobody is there to be asked */
    return list;
}

/* ---- plugins ---- */

static const char *exe_folder(struct arena *a)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    *slash = '\0';
    return arena_str(a, slice_of(path));
}

struct folders {
    VEC(const char *) list;
};

static void add_folder(struct arena *a, struct folders *f, const char *path)
{
    CLEANUP(free_ptr) char *normal = path_normal(path);

    VEC_EACH (one, &f->list)
        if (strcmp(*one, normal) == 0)
            return;
    vec_push(&f->list, arena_str(a, slice_of(normal)));
}

static void add_system(struct arena *a, struct folders *f, const struct config *config)
{
    const char *exe = exe_folder(a);

    for (size_t i = 0; config && i < config->plugin_path.len; i++)
        add_folder(a, f, config->plugin_path.ptr[i]);
    if (exe) {
        add_folder(a, f, arena_printf(a, "%s/plugins", exe));
        add_folder(a, f, arena_printf(a, "%s/../lib/ostler/plugins", exe));
    }
    add_folder(a, f, "/usr/local/lib/ostler/plugins");
    add_folder(a, f, "/usr/lib/ostler/plugins");
}

const char *const *settings_plugin_path(struct arena *a, const struct config *config)
{
    struct slice extra = slice_of(settings_env("OSTLER_PLUGIN_PATH")), item;
    const char *data = absolute_env("XDG_DATA_HOME");
    struct folders f = {0};

    add_system(a, &f, config);
    add_folder(a, &f,
               data ? arena_printf(a, "%s/ostler/plugins", data)
                    : arena_printf(a, "%s/.local/share/ostler/plugins", settings_home()));
    while (slice_split(&extra, ':', &item))
        if (item.len && item.ptr[0] == '/')
            add_folder(a, &f, arena_str(a, item));
    const char **ret = arena_array(a, f.list.len + 1, sizeof *ret);
    memcpy(ret, f.list.ptr, f.list.len * sizeof *ret);
    vec_deinit(&f.list);
    return ret;
}

/* ---- the environment of jobs ---- */

static const char *const inherited[] = {
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    /* proxies, for git, curl, node, python */
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    /* certificates of this site */
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    /* mirrors and waiting times of this site; credentials have other names */
    "PIP_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_DEFAULT_TIMEOUT",
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    /* where tools are installed: the list that GitHub's runner takes along */
    "JAVA_HOME",
    "ANT_HOME",
    "M2_HOME",
    "ANDROID_HOME",
    "ANDROID_SDK_ROOT",
    "GRADLE_HOME",
    "NVM_BIN",
    "NVM_PATH",
    "LD_LIBRARY_PATH",
    "PERL5LIB",
    "PYENV_ROOT",
    "GOROOT",
    "RUSTUP_HOME",
    "DOTNET_ROOT",
    /* the engine that a job may talk to */
    "DOCKER_HOST",
    /* hooks and switches of GitHub's runner: job/switches.h */
    "ACTIONS_RUNNER_HOOK_JOB_STARTED",
    "ACTIONS_RUNNER_HOOK_JOB_COMPLETED",
    "ACTIONS_RUNNER_CONTAINER_HOOKS",
    "ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER",
    "ACTIONS_ALLOW_UNSECURE_COMMANDS",
    "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS",
    "GITHUB_ACTIONS_RUNNER_ISSUE_MATCHER_TIMEOUT",
    "_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF",
    "ImageOS",
    "ImageVersion",
};

static bool names_it(const char *name, const char *entry)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_among(const char *const *names, const char *entry)
{
    for (; names && *names; names++)
        if (names_it(*names, entry))
            return true;
    return false;
}

static bool is_inherited(const char *entry, const char *const *keep)
{
    for (size_t i = 0; i < COUNT_OF(inherited); i++)
        if (names_it(inherited[i], entry))
            return true;
    return strncmp(entry, "LC_", 3) == 0 || is_among(keep, entry) || is_among(site_names(), entry);
}

const char *const *settings_job_environ(struct arena *a, const char *const *keep)
{
    size_t n = 0;

    while (environ[n])
        n++;
    const char **list = arena_array(a, n + 2, sizeof *list);
    n = 0;
    for (char **p = environ; *p; p++)
        if (is_inherited(*p, keep))
            list[n++] = *p;
    list[n] = arena_printf(a, "HOME=%s", settings_home());
    return list;
}

void settings_report_env(struct report_env *ret)
{
    *ret = (struct report_env){
        .no_color = getenv("NO_COLOR"),
        .clicolor = getenv("CLICOLOR"),
        .clicolor_force = getenv("CLICOLOR_FORCE"),
        .term = getenv("TERM"),
        .columns = getenv("COLUMNS"),
        .lc_all = getenv("LC_ALL"),
        .lc_ctype = getenv("LC_CTYPE"),
        .lang = getenv("LANG"),
    };
}

const char *settings_tool_cache(void)
{
    static const char *const names[] = {"RUNNER_TOOL_CACHE", "RUNNER_TOOLSDIRECTORY",
                                        "AGENT_TOOLSDIRECTORY"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (absolute_env(names[i]))
            return absolute_env(names[i]);
    return NULL;
}
