#include "auth.h"

#include <string.h>
#include <sys/random.h>

enum { CONFIG_MAX = 1 << 20 };

static const char placeholder[] = "AUTHORIZATION: basic ***";
static const char ssh_key[] = "core.sshCommand";
/* The names of the files, as every version of the action gives them: whoever cleans up finds those of all. */
static const char credentials_name[] = "git-credentials-[0-9a-f-]+\\.config$";

/* Of github.com: https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints */
static const char github_host_key[] =
    "github.com ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aN"
    "UkY4Ue1gvwnGLVlOhGeYrnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/"
    "BCZfxd1nWzAOxSDPgVsmerOBYfNql"
    "tV9/"
    "hWCqBywINIR+5dIg6JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCflmO+5Z8CSS"
    "NY7GidjMIZ7Q4zMjA2n1nGrlTDkzwDCsw+"
    "wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK5tKSb7FNyeIEs4TT4"
    "jk+S4dhPeAUC5y+bDYirYgM4GC7uEnztnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+EjqoTwvqNj4kqx5QUCI0ThS/"
    "YkOx"
    "JCXmPUWZbhjpCg56i+2aB6CmK2JGhn57K5mj0MNdBXA4/WnwH6XoPWJzK5Nyu2zB3nAZp+S5hpQs+p1vN1/wsjk=";

const char *const auth_saved[] = {"sshKeyPath", "sshKnownHostsPath", "credentialsPath",
                                  "temporaryHome", NULL};

void auth_files(struct ost_step *step, struct strings *to)
{
    for (const char *const *name = auth_saved; *name; name++) {
        const char *path = step->host->saved(step, *name);

        if (path && *path)
            strings_add(step, to, path);
    }
}

/* ---- small things ---- */

static const char *uuid(struct ost_step *step)
{
    unsigned char b[16];

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return "0"; /* not before the kernel has random bytes at all, which is before any job */
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return ost_fmt(step, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                   b[13], b[14], b[15]);
}

static const char *base64(struct ost_step *step, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = strlen(text);
    char *out = step->host->alloc(step, (size + 2) / 3 * 4 + 1), *to = out;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t n = (uint32_t)(unsigned char)text[i] << 16;

        if (i + 1 < size)
            n |= (uint32_t)(unsigned char)text[i + 1] << 8;
        if (i + 2 < size)
            n |= (unsigned char)text[i + 2];
        *to++ = digits[n >> 18];
        *to++ = digits[n >> 12 & 63];
        *to++ = i + 1 < size ? digits[n >> 6 & 63] : '=';
        *to++ = i + 2 < size ? digits[n & 63] : '=';
    }
    *to = '\0';
    return out;
}

/* A script of the job's shell, unseen; $1 and $2 are its arguments, INPUT, if any, what it reads. */
static ost_status shell(const struct git *g, const char *script, const char *one, const char *two,
                        const char *input)
{
    struct ost_exec_result res = OST_RESULT;
    const struct ost_exec exec = {
        .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
        .argv = OST_ARGV("sh", "-c", script, "sh", one, two),
        .input = input,
        .input_size = input ? strlen(input) : 0,
    };

    return git_exec(g, exec, &res);
}

static ost_status cannot(struct ost_step *step, ost_status r, const char *what, const char *subject)
{
    if (r == OST_OK || r == OST_E_CANCELLED)
        return r;
    return ost_fail(step, r, "cannot %s '%s': %s", what, subject, step->host->last_error(step));
}

ost_status auth_init(struct auth *a, const struct settings *s, struct git *git)
{
    struct ost_step *step = git->step;

    *a = (struct auth){.s = s, .git = git};
    a->key = ost_fmt(step, "http.%s/.extraheader", s->server);
    if (!*s->token)
        return OST_OK;
    const char *basic = base64(step, ost_fmt(step, "x-access-token:%s", s->token));
    a->header = ost_fmt(step, "AUTHORIZATION: basic %s", basic);
    git->token = true;
    return cannot(step, step->host->mask(step, basic), "mask", "the token");
}

/* ---- HOME ---- */

ost_status auth_temporary_home(struct auth *a)
{
    static const char script[] = "umask 077 && mkdir -p \"$1\" && "
                                 "if [ -f \"$2\" ]; then cat \"$2\" >\"$1/.gitconfig\"; "
                                 "else : >\"$1/.gitconfig\"; fi";
    struct ost_step *step = a->git->step;
    const char *home, *users;
    ost_status r;

    if (a->git->home)
        return OST_OK;
    home = ost_fmt(step, "%s/%s", a->s->temp, uuid(step));
    users = ost_fmt(step, "%s/.gitconfig", step->host->dir(step, OST_DIR_HOME));
    r = step->host->save(step, "temporaryHome", home);
    if (r == OST_OK)
        r = shell(a->git, script, home, users, NULL);
    if (r < 0)
        return cannot(step, r, "make the folder", home);
    ost_log(step, OST_INFO,
            "Temporarily overriding HOME='%s' before making global git config changes", home);
    a->git->home = home;
    return OST_OK;
}

/* ---- the token ---- */

/* TEXT with the one place where the stand-in is as HEADER; NULL: there is none, or more than one. */
static const char *fill_in(struct ost_step *step, const char *text, const char *header)
{
    const char *at = strstr(text, placeholder);

    if (!at || strstr(at + 1, placeholder))
        return NULL;
    return ost_fmt(step, "%.*s%s%s", (int)(at - text), text, header, at + sizeof placeholder - 1);
}

/* Puts the header into the configuration FILE. */
static ost_status write_header(struct auth *a, const char *file)
{
    struct ost_step *step = a->git->step;
    size_t size = 0;
    const char *text;
    ost_status r = git_run(a->git, GIT_ARGS("config", "--file", file, a->key, placeholder));

    if (r < 0)
        return r;
    text = file_read(step, file, CONFIG_MAX, &size);
    text = text && strlen(text) == size ? fill_in(step, text, a->header) : NULL;
    if (!text)
        return ost_fail(step, OST_E_FAILED, "Unable to replace auth placeholder in %s", file);
    r = shell(a->git, "cat >\"$1\"", file, "", text);
    return cannot(step, r, "write", file);
}

static ost_status make_credentials(struct auth *a)
{
    struct ost_step *step = a->git->step;

    if (a->credentials)
        return OST_OK;
    a->credentials = ost_fmt(step, "%s/git-credentials-%s.config", a->s->temp, uuid(step));
    ost_status r = step->host->save(step, "credentialsPath", a->credentials);
    return r == OST_OK ? write_header(a, a->credentials) : cannot(step, r, "save", "a path");
}

/* Has CONFIG include the credentials for the repository whose folder GIT_DIR is. */
static ost_status include_for(struct auth *a, const char *config, const char *git_dir,
                              const char *credentials)
{
    const char *key = ost_fmt(a->git->step, "includeIf.gitdir:%s.path", git_dir);

    return git_run(a->git, GIT_ARGS("config", "--file", config, key, credentials));
}

struct view { /* the same files, as others see them */
    const char *workspace, *temp;
};

/* Has CONFIG include the credentials for the repository whose folder GIT_DIR is, and for its working trees if
 * WITH_TREES; as this job sees it, as an action in a container does, and as the steps in the job's own do. */
static ost_status include(struct auth *a, const char *config, const char *git_dir, bool with_trees)
{
    struct ost_step *step = a->git->step;
    const char *workspace = a->s->workspace, *place = rel_from(workspace, git_dir);
    const char *two = rel_from(rel_parent(step, rel_parent(step, workspace)), workspace);
    const struct view views[] = {
        {workspace, a->s->temp},
        {"/github/workspace", "/github/runner_temp"},
        {ost_fmt(step, "/__w/%s", two), "/__w/_temp"},
    };
    size_t n = *context_text(step, "job.container.id") ? 3 : 2;
    ost_status r = OST_OK;

    for (size_t i = 0; i < n && r == OST_OK; i++) {
        const char *dir = ost_fmt(step, "%s/%s", views[i].workspace, place);
        const char *file = ost_fmt(step, "%s/%s", views[i].temp, rel_name(a->credentials));

        r = include_for(a, config, dir, file);
        if (r == OST_OK && with_trees)
            r = include_for(a, config, ost_fmt(step, "%s/worktrees/*", dir), file);
    }
    return r;
}

static ost_status configure_token(struct auth *a)
{
    const char *git_dir = ost_fmt(a->git->step, "%s/.git", a->s->folder);
    const char *config = ost_fmt(a->git->step, "%s/config", git_dir);
    ost_status r;

    if (!a->header)
        return OST_OK;
    if (!HAS_CREDENTIALS_FILE)
        return write_header(a, config);
    r = make_credentials(a);
    return r == OST_OK ? include(a, config, git_dir, true) : r;
}

/* ---- ssh ---- */

static ost_status write_private(struct auth *a, const char *state, const char *path,
                                const char *text)
{
    struct ost_step *step = a->git->step;
    ost_status r = step->host->save(step, state, path);

    if (r == OST_OK)
        r = shell(a->git, "umask 077 && cat >\"$1\"", path, "", text);
    return cannot(step, r, "write", path);
}

static const char *known_hosts(struct auth *a)
{
    struct ost_step *step = a->git->step;
    const char *path = ost_fmt(step, "%s/.ssh/known_hosts", step->host->dir(step, OST_DIR_HOME));
    struct sink k = {.step = step};
    size_t size = 0;
    const char *users = file_read(step, path, CONFIG_MAX, &size);

    if (users && size)
        sink_addf(&k, "# Begin from %s\n%s\n# End from %s\n", path, users, path);
    if (*a->s->known_hosts)
        sink_addf(&k, "# Begin from input known hosts\n%s\n# end from input known hosts\n",
                  a->s->known_hosts);
    sink_addf(&k, "# Begin implicitly added github.com\n%s\n# End implicitly added github.com\n",
              github_host_key);
    return sink_text(&k);
}

static ost_status configure_ssh(struct auth *a)
{
    struct ost_step *step = a->git->step;
    struct ost_exec_result res = OST_RESULT;
    const char *id = uuid(step);
    ost_status r;

    if (!*a->s->ssh_key)
        return OST_OK;
    r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                 .argv = OST_ARGV("sh", "-c", "command -v ssh"));
    if (r == OST_OK && res.exit_code != 0)
        return ost_fail(
            step, OST_E_NOT_FOUND,
            "`ssh-key` needs the program ssh: install openssh-client, or give a `token`");
    if (r == OST_OK)
        r = write_private(a, "sshKeyPath", ost_fmt(step, "%s/%s", a->s->temp, id),
                          ost_fmt(step, "%s\n", a->s->ssh_key));
    if (r == OST_OK)
        r = write_private(a, "sshKnownHostsPath",
                          ost_fmt(step, "%s/%s_known_hosts", a->s->temp, id), known_hosts(a));
    if (r < 0)
        return r;
    /* By the variable, so that it holds in containers, too. */
    a->git->ssh = ost_fmt(
        step,
        "\"%s\" -i \"$RUNNER_TEMP/%s\"%s -o \"UserKnownHostsFile=$RUNNER_TEMP/%s_known_hosts\"",
        res.out, id, a->s->strict ? " -o StrictHostKeyChecking=yes -o CheckHostIP=no" : "", id);
    ost_log(step, OST_INFO, "Temporarily overriding GIT_SSH_COMMAND=%s", a->git->ssh);
    return a->s->persist ? git_run(a->git, GIT_ARGS("config", "--local", ssh_key, a->git->ssh))
                         : OST_OK;
}

/* ---- the repository ---- */

ost_status auth_configure(struct auth *a)
{
    struct strings none = {0};
    ost_status r;

    if (!a->fresh) /* what an earlier job left */
        auth_remove(a->git, a->s->server, &none);
    r = configure_ssh(a);
    return r == OST_OK ? configure_token(a) : r;
}

/* ---- submodules ---- */

/* The addresses that stand for the server's, when there is no SSH key to use them with. */
static ost_status each_alias(struct auth *a, const char *const *head)
{
    struct ost_step *step = a->git->step;
    const char *key = ost_fmt(step, "url.%s/.insteadOf", a->s->server);
    const char *values[] = {
        ost_fmt(step, "git@%s:", a->s->host),
        *a->s->organization ? ost_fmt(step, "org-%s@github.com:", a->s->organization) : NULL,
    };
    ost_status r = OST_OK;

    for (size_t i = 0; i < 2 && values[i] && r == OST_OK; i++) {
        struct strings args = {0};

        for (const char *const *word = head; *word; word++)
            strings_add(step, &args, *word);
        strings_add(step, &args, "--add");
        strings_add(step, &args, key);
        strings_add(step, &args, values[i]);
        r = git_run(a->git, strings_list(&args));
    }
    return r;
}

ost_status auth_configure_all(struct auth *a)
{
    struct ost_step *step = a->git->step;
    ost_status r = auth_temporary_home(a);

    if (r == OST_OK && a->header && HAS_CREDENTIALS_FILE) {
        r = make_credentials(a);
        if (r == OST_OK)
            r = git_run(a->git, GIT_ARGS("config", "--global", "include.path", a->credentials));
    } else if (r == OST_OK && a->header) {
        r = write_header(a, ost_fmt(step, "%s/.gitconfig", a->git->home));
    }
    if (r < 0 || *a->s->ssh_key)
        return r;
    return each_alias(a, GIT_ARGS("config", "--global"));
}

/* The configurations of all submodules, also of those that no .gitmodules names any more. Only a cancel is an error. */
static ost_status submodule_configs(const struct git *g, struct strings *to)
{
    struct ost_exec_result res = OST_RESULT;
    const char *folder = ost_fmt(g->step, "%s/.git/modules", g->dir);
    const struct ost_exec exec = {
        .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
        .argv = OST_ARGV("find", folder, "-type", "f", "-name", "config", "-print0"),
    };

    if (!file_is_folder(folder))
        return OST_OK;
    ost_status r = git_exec(g, exec, &res);
    for (size_t at = 0; r == OST_OK && at < res.out_size; at += strlen(res.out + at) + 1)
        strings_add(g->step, to, res.out + at);
    return r == OST_E_CANCELLED ? r : OST_OK;
}

static ost_status configure_submodule(struct auth *a, const char *config)
{
    struct ost_step *step = a->git->step;
    ost_status r = OST_OK;

    if (a->header)
        r = HAS_CREDENTIALS_FILE ? include(a, config, rel_parent(step, config), false)
                                 : write_header(a, config);
    if (r < 0)
        return r;
    if (*a->s->ssh_key)
        return git_run(a->git, GIT_ARGS("config", "--file", config, ssh_key, a->git->ssh));
    /* One that was there before has them already. */
    (void)git_try(a->git, true,
                  GIT_ARGS("config", "--file", config, "--unset-all",
                           ost_fmt(step, "url.%s/.insteadOf", a->s->server)));
    return each_alias(a, GIT_ARGS("config", "--file", config));
}

ost_status auth_configure_submodules(struct auth *a)
{
    struct strings configs = {0};
    ost_status r = submodule_configs(a->git, &configs);

    for (size_t i = 0; i < configs.n && r == OST_OK; i++)
        r = configure_submodule(a, configs.list[i]);
    return r;
}

/* ---- taking it back ---- */

static void remove_key(const struct git *g, const char *config, const char *key)
{
    struct git_answer a;

    if (git_ask(g, false, GIT_ARGS("config", "--file", config, "--unset-all", key), &a) < 0 ||
        (a.code != 0 && a.code != 5)) /* 5: it is not there */
        ost_log(g->step, OST_WARNING, "Failed to remove '%s' from the git config", key);
}

/* Only what lies in the temporary folder itself is removed with it: anything may stand in a configuration. */
static bool is_ours(const char *temp, const char *path)
{
    size_t n = strlen(temp);

    return strncmp(path, temp, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/') &&
           path[n + 1] != '.';
}

static void remove_includes(const struct git *g, const char *config, struct strings *files)
{
    struct ost_step *step = g->step;
    const char *temp = step->host->dir(step, OST_DIR_TEMP);
    struct git_answer a;

    if (git_ask(g, true,
                GIT_ARGS("config", "--file", config, "-z", "--get-regexp",
                         "^includeif\\.gitdir:.*\\.path$", credentials_name),
                &a) < 0 ||
        a.code != 0)
        return;
    for (size_t at = 0; at < a.out.size;) {
        const char *key = a.out.at + at, *end = strchr(key, '\n');

        if (!end)
            break;
        at += strlen(key) + 1;
        (void)git_try(g, false,
                      GIT_ARGS("config", "--file", config, "--unset-all",
                               span_dup(step, (struct span){key, (size_t)(end - key)}),
                               credentials_name));
        if (is_ours(temp, end + 1))
            strings_add(step, files, end + 1);
    }
}

static void clean_config(const struct git *g, const char *config, const char *key,
                         struct strings *files)
{
    remove_key(g, config, ssh_key);
    remove_key(g, config, key);
    remove_includes(g, config, files);
}

static void remove_files(struct ost_step *step, const struct strings *files)
{
    struct strings argv = {0};

    if (!files->n)
        return;
    strings_add(step, &argv, "rm");
    strings_add(step, &argv, "-rf");
    strings_add(step, &argv, "--");
    for (size_t i = 0; i < files->n; i++) {
        ost_log(step, OST_INFO, "Removing '%s'", files->list[i]);
        strings_add(step, &argv, files->list[i]);
    }
    if (ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
                 .argv = strings_list(&argv)) < 0)
        ost_log(step, OST_WARNING, "Failed to remove credentials: %s",
                step->host->last_error(step));
}

void auth_remove(const struct git *git, const char *server, const struct strings *files)
{
    struct ost_step *step = git->step;
    const char *key = ost_fmt(step, "http.%s/.extraheader", server);
    const char *config = ost_fmt(step, "%s/.git/config", git->dir);
    struct strings configs = {0}, all = {0};

    for (size_t i = 0; i < files->n; i++)
        strings_add(step, &all, files->list[i]);
    if (git->program && file_exists(config)) {
        clean_config(git, config, key, &all);
        (void)submodule_configs(git, &configs); /* a cancel ends what follows just as well */
        for (size_t i = 0; i < configs.n; i++)
            clean_config(git, configs.list[i], key, &all);
    }
    remove_files(step, &all);
}
