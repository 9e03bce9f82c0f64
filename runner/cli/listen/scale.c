#include "cli/listen/scale.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/wipe.h"
#include "cli/inputs.h"
#include "cli/settings.h"
#include "io/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

#define LEASES "leases"

enum { KEY_FILE_MAX = 64 << 10, HOST_SIZE = 256 };

/* ---- options ---- */

static void take_secret(char **to, char *text)
{
    wipe_free(*to);
    *to = mem_dup(text, strlen(text));
    explicit_bzero(text, strlen(text)); /* others may look at a command line */
}

static int take_number(const char *option, const char *text, int64_t most, int64_t *ret,
                       struct err *err)
{
    struct err ignored = ERR_INIT; /* it is said in our words */

    if (num_parse_i64(slice_of(text), 0, most, ret, &ignored) == ERR_OK)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "--%s is a number from 0 to %lld, not '%.40s'", option,
                   (long long)most, text);
}

static int take_runners(const char *option, const char *text, int *ret, struct err *err)
{
    int64_t n = 0;
    int r = take_number(option, text, SCALE_RUNNERS_MAX, &n, err);

    if (r == ERR_OK)
        *ret = (int)n;
    return r;
}

static int take_key(struct listen_scale *s, const char *file, struct err *err)
{
    CLEANUP(wipe_buf) struct buf text = BUF_INIT(KEY_FILE_MAX);
    int r = path_read_named(file, &text, err);

    s->key = rsa_key_free(s->key);
    if (r == ERR_OK)
        r = rsa_key_parse_pem(buf_slice(&text), &s->key, err);
    return r < 0 ? err_in(err, "--app-key-file '%.100s'", file) : r;
}

int listen_scale_take(struct listen_scale *s, struct arena *a, const char *option, char *text,
                      struct err *err)
{
    const struct {
        const char *option, **to;
    } texts[] = {
        {"scale-set", &s->name}, {"url", &s->url}, {"runnergroup", &s->group}, {"app-id", &s->app}};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (strcmp(option, texts[i].option) == 0) {
            *texts[i].to = arena_str(a, slice_of(text));
            return ERR_OK;
        }
    }
    if (strcmp(option, "min") == 0)
        return take_runners(option, text, &s->least, err);
    if (strcmp(option, "max") == 0)
        return take_runners(option, text, &s->most, err);
    if (strcmp(option, "app-installation") == 0)
        return take_number(option, text, INT64_MAX, &s->installation, err);
    if (strcmp(option, "app-key-file") == 0)
        s->key_file = arena_str(a, slice_of(text));
    else if (strcmp(option, "token-file") == 0 || strcmp(option, "pat-file") == 0)
        s->secret_file = arena_str(a, slice_of(text));
    if (strcmp(option, "app-key-file") == 0)
        return take_key(s, text, err);
    if (strcmp(option, "token-file") == 0)
        return inputs_read_secret(text, &s->token, err);
    if (strcmp(option, "pat-file") == 0)
        return inputs_read_secret(text, &s->pat, err);
    if (strcmp(option, "labels") == 0) {
        s->labels = inputs_list(a, text);
        s->labels_as_said = arena_str(a, slice_of(text));
    } else {
        take_secret(strcmp(option, "pat") == 0 ? &s->pat : &s->token, text);
    }
    return ERR_OK;
}

static bool has_credential(const struct listen_scale *s)
{
    return s->token || s->pat || s->app || s->key;
}

int listen_scale_take_inputs(struct listen_scale *s, struct arena *a, struct err *err)
{
    static const char *const plain[] = {"url", "runnergroup", "labels", NULL};
    static const char *const secret[] = {"token", "token-file", "pat", "pat-file", NULL};
    bool missing[] = {!s->url, !s->group, !s->labels};
    int r = ERR_OK;

    if (!s->name)
        return ERR_OK;
    for (size_t i = 0; plain[i] && r == ERR_OK; i++) {
        const char *value = inputs_get(plain[i]);
        CLEANUP(free_ptr) char *copy = value && missing[i] ? mem_dup(value, strlen(value)) : NULL;

        if (copy)
            r = listen_scale_take(s, a, plain[i], copy, err);
    }
    for (size_t i = 0; secret[i] && r == ERR_OK; i++) {
        const char *value = has_credential(s) ? NULL : inputs_get(secret[i]);
        char *copy = value ? mem_dup(value, strlen(value)) : NULL;

        if (copy)
            r = listen_scale_take(s, a, secret[i], copy, err);
        wipe_free(copy);
    }
    return r;
}

static int check_credential(const struct listen_scale *s, struct err *err)
{
    bool app = s->app || s->key || s->installation;

    if (!!s->token + !!s->pat + app > 1)
        return err_set(err, ERR_INVALID,
                       "one credential is enough for a scale set: --pat, an app, or --token");
    if (app && !(s->app && *s->app && s->key && s->installation))
        return err_set(
            err, ERR_INVALID,
            "an app has --app-id, --app-installation and --app-key-file: one is missing");
    if (!app && !(s->pat && *s->pat) && !(s->token && *s->token))
        return err_set(err, ERR_INVALID,
                       "a scale set needs a credential: --pat-file, an app (--app-id, "
                       "--app-installation, --app-key-file), or --token for an hour");
    return ERR_OK;
}

int listen_scale_check(struct listen_scale *s, int slots, struct err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (!s->name) {
        const char *said = s->url                ? "url"
                           : s->least || s->most ? "min' and '--max"
                           : s->labels           ? "labels"
                           : s->group            ? "runnergroup"
                           : has_credential(s) || s->installation
                               ? "pat', '--token' and '--app-...'"
                               : NULL;

        return said ? err_set(err, ERR_INVALID,
                              "'--%s' is for a scale set: name it with --scale-set", said)
                    : ERR_OK;
    }
    if (!s->url)
        return err_set(err, ERR_INVALID,
                       "a scale set needs --url, the address of its repository, organisation or "
                       "enterprise");
    if (!s->most)
        s->most = slots                                              ? slots
                  : processors > 0 && processors < SCALE_RUNNERS_MAX ? (int)processors
                                                                     : 1;
    if (s->least > s->most)
        return err_set(err, ERR_INVALID,
                       "--min %d is more than --max %d: raise the one, or lower the other",
                       s->least, s->most);
    return check_credential(s, err);
}

void listen_scale_deinit(struct listen_scale *s)
{
    wipe_free(s->token);
    wipe_free(s->pat);
    rsa_key_free(s->key);
    fd_closep(&s->dir);
}

/* ---- its folder ---- */

/* The same set has the same folder at the next start: told by what it is, for names may hold anything. */
static const char *folder_name(const struct listen_scale *s, struct arena *a)
{
    CLEANUP(buf_deinit) struct buf what = BUF_INIT(64 << 10);
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];

    buf_printf(&what, "%s\n%s\n%s", s->url, s->group ? s->group : "", s->name);
    digest_sha256(buf_slice(&what), digest);
    digest_hex(digest, hex);
    char *name = arena_printf(a, "%.40s-%.12s", s->name, hex);
    for (char *c = name; *c; c++)
        if (*c == '/' || (unsigned char)*c <= ' ' || (*c == '.' && c == name))
            *c = '-';
    return name;
}

int listen_scale_open(struct listen_scale *s, struct arena *a, const char *state, bool *ret_taken,
                      struct err *err)
{
    s->folder = arena_printf(a, "%s/scale-sets/%s", state, folder_name(s, a));
    int r = path_mkdirs(AT_FDCWD, s->folder, 0700, err);

    if (r < 0)
        return r;
    s->dir = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0)
        return err_sys(err, "cannot open the folder '%s'", s->folder);
    if (flock(s->dir, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno != EWOULDBLOCK)
        return err_sys(err, "cannot lock '%s'", s->folder);
    *ret_taken = true;
    return err_set(err, ERR_DENIED,
                   "another listener of this machine has the scale set '%.64s': stop that one, or "
                   "take another name with --scale-set",
                   s->name);
}

/* ---- its queue ---- */

static const char *host_name(char ret[HOST_SIZE])
{
    ret[0] = '\0';
    if (gethostname(ret, HOST_SIZE - 1) < 0 || !*ret)
        return "ostler";
    return ret;
}

int listen_scale_add(const struct listen_scale *s, const struct listen_queues *q,
                     struct listener *l, struct http *http, struct err *err)
{
    static char host[HOST_SIZE];
    struct github_waits waits;
    CLEANUP(free_ptr) char *leases = path_join(s->folder, LEASES);
    const struct scale_set_spec spec = {
        .url = s->url,
        .force_ghes = settings_flag("GITHUB_ACTIONS_RUNNER_FORCE_GHES"),
        .credential = {.token = s->token,
                       .pat = s->pat,
                       .app = s->app,
                       .installation = s->installation,
                       .key = s->key},
        .name = s->name,
        .group = s->group,
        .labels = s->labels,
        .least = s->least,
        .most = s->most,
        .owner = host_name(host),
        .dir = s->dir,
        .runner = listen_queues_github(q, http, &waits),
    };
    struct listener_member member = {.name = s->name,
                                     .kind = "scale-set",
                                     .url = s->url,
                                     .labels = s->labels_as_said ? s->labels_as_said : s->name,
                                     .capacity = s->most};
    int r = journal_open(leases, &member.take_journal, err);

    if (r == ERR_OK)
        r = scale_set_new(&spec, &member.take_queue, err);
    if (r < 0) {
        journal_close(member.take_journal);
        return r;
    }
    listener_add(l, &member);
    return ERR_OK;
}
