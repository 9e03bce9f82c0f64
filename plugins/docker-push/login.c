#include "login.h"

#include "../lib/json.h"
#include "reference.h"

#include <string.h>

enum { CONFIG_JSON_MAX = 1 << 20 };

const char *login_env(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return "";
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

bool login_decode(struct ost_step *step, const char *auth, struct login *ret)
{
    struct sink k = {.step = step};
    unsigned bits = 0, n = 0;
    char *colon;

    for (; *auth && *auth != '='; auth++) {
        int value = digit_of(*auth);
        char byte;

        if (value < 0)
            return false;
        bits = bits << 6 | (unsigned)value;
        n += 6;
        if (n < 8)
            continue;
        n -= 8;
        byte = (char)(bits >> n & 0xff);
        sink_add(&k, (struct span){&byte, 1});
    }
    colon = k.data ? memchr(k.data, ':', k.size) : NULL;
    if (!colon || strlen(k.data) != k.size)
        return false;
    *colon = '\0';
    ret->user = k.data;
    ret->password = colon + 1;
    return true;
}

/* Whatever way it came, it is known to the masker before it is used. */
static ost_status masked(struct ost_step *step, const struct login *found, struct login *ret)
{
    ost_status r = OST_OK;

    if (*found->password)
        r = step->host->mask(step, found->password);
    if (r == OST_OK && *found->identity)
        r = step->host->mask(step, found->identity);
    if (r == OST_OK)
        *ret = *found;
    return r;
}

/* ---- credential helpers ---- */

static const char *helper_of(const struct json *config, const char *key, const char *host)
{
    const char *own = json_text(json_get(config, "credHelpers"), host);

    if (!*own)
        own = json_text(json_get(config, "credHelpers"), key);
    return *own ? own : json_text(config, "credsStore");
}

static bool is_helper(const char *name)
{
    return *name && !strpbrk(name, "/\\ \t\r\n") && name[0] != '-';
}

/* A helper that knows nobody says so on stdout and exits 1. */
static ost_status ask_helper(struct ost_step *step, const char *name, const char *key,
                             struct login *ret)
{
    const char *program = ost_fmt(step, "docker-credential-%s", name), *why = "", *secret;
    struct ost_exec_result res = OST_RESULT;
    const struct json *j;
    ost_status r;

    if (!is_helper(name))
        return ost_fail(step, OST_E_INVALID, "config.json names the credential helper '%s'", name);
    r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE, .input = key,
                 .input_size = strlen(key), .argv = OST_ARGV(program, "get"));
    if (r == OST_E_NOT_FOUND)
        return ost_fail(step, r,
                        "config.json wants '%s' to be asked for the password of '%s', and the job "
                        "has no such program; give 'username' and 'password', or install it",
                        program, key);
    if (r < 0)
        return r == OST_E_CANCELLED ? r
                                    : ost_fail(step, r, "cannot run '%s': %s", program,
                                               step->host->last_error(step));
    if (res.exit_code != 0) {
        if (strstr(res.out, "not found"))
            return OST_OK;
        return ost_fail(step, OST_E_FAILED, "'%s get' failed for '%s' with exit code %d", program,
                        key, res.exit_code);
    }
    char *copy = (char *)step->host->alloc(step, res.out_size + 1);
    memcpy(copy, res.out, res.out_size);
    copy[res.out_size] = '\0';
    j = json_read(step, copy, res.out_size, false, &why);
    secret = json_text(j, "Secret");
    if (!j || !*secret)
        return ost_fail(step, OST_E_FAILED, "'%s get' gave no Secret for '%s'", program, key);
    if (strcmp(json_text(j, "Username"), "<token>") == 0)
        return masked(step, &(struct login){"", "", secret}, ret);
    return masked(step, &(struct login){json_text(j, "Username"), secret, ""}, ret);
}

/* ---- config.json ---- */

/* Keys are hosts, but older tools wrote addresses: "https://host/v2/". */
static bool is_key_of(const char *key, const char *host)
{
    struct span s = span_of(key), name;

    if (!span_eat(&s, "https://"))
        (void)span_eat(&s, "http://");
    if (span_eat_until(&s, '/', &name))
        s = name;
    return span_is(s, host);
}

static const struct json *auth_of(const struct json *config, const char *key, const char *host)
{
    const struct json *auths = json_get(config, "auths"), *exact = json_get(auths, key);

    if (exact || strcmp(key, host) != 0) /* Docker Hub has one key only */
        return exact;
    for (exact = auths ? auths->first : NULL; exact; exact = exact->next)
        if (exact->key && is_key_of(exact->key, host))
            return exact;
    return NULL;
}

static ost_status read_auth(struct ost_step *step, const struct json *auth, const char *key,
                            struct login *ret)
{
    struct login found = {json_text(auth, "username"), json_text(auth, "password"),
                          json_text(auth, "identitytoken")};

    if (*json_text(auth, "auth") && !login_decode(step, json_text(auth, "auth"), &found))
        return ost_fail(step, OST_E_INVALID,
                        "what config.json has as 'auth' for '%s' is no base64 of user:password; "
                        "log in again",
                        key);
    return masked(step, &found, ret);
}

static const char *config_path(struct ost_step *step, const char *const *env)
{
    const char *dir = login_env(env, "DOCKER_CONFIG"), *home = login_env(env, "HOME");

    if (*dir)
        return rel_join(step, dir, "config.json");
    if (!*home)
        home = step->host->dir(step, OST_DIR_HOME);
    return home && *home ? rel_join(step, home, ".docker/config.json") : "";
}

static ost_status from_config(struct ost_step *step, const char *const *env, const char *host,
                              struct login *ret)
{
    const char *path = config_path(step, env), *key = reference_auth_key(host), *why = "";
    const struct json *config, *auth;
    size_t size;
    char *text = *path ? file_read(step, path, CONFIG_JSON_MAX, &size) : NULL;

    if (!text)
        return OST_OK; /* nobody has logged in */
    config = json_read(step, text, size, false, &why);
    if (!config)
        return ost_fail(step, OST_E_INVALID, "'%s' cannot be read: %s", path, why);
    if (*helper_of(config, key, host))
        return ask_helper(step, helper_of(config, key, host), key, ret);
    auth = auth_of(config, key, host);
    return auth ? read_auth(step, auth, key, ret) : OST_OK;
}

ost_status login_find(struct ost_step *step, const struct login_spec *spec, const char *host,
                      struct login *ret)
{
    struct login found = {"", "", ""};
    ost_status r = OST_OK;

    if (*spec->user && strcmp(reference_host(spec->registry), host) == 0)
        r = masked(step, &(struct login){spec->user, spec->password, ""}, &found);
    else
        r = from_config(step, spec->env, host, &found);
    if (r == OST_OK)
        *ret = found;
    return r;
}
