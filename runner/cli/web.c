#include "cli/web.h"

#include "base/arena.h"
#include "cli/settings.h"

/* NULL: it is not there, or empty. */
static const char *value_of(const char *const *env, const char *name)
{
    size_t len = strlen(name);

    if (!env)
        return settings_env(name);
    for (; *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return (*env)[len + 1] ? *env + len + 1 : NULL;
    return NULL;
}

/* site_adopt() has put both spellings in order, and given proxies a scheme. */
int web_open_with(struct loop *loop, const char *agent, int64_t retry_ms, const char *const *env,
                  struct http **ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *all = value_of(env, "all_proxy"), *http = value_of(env, "http_proxy"),
               *https = value_of(env, "https_proxy"), *none = value_of(env, "no_proxy"),
               *blind = value_of(env, "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY");
    int64_t minute_ms = settings_minute_ms();
    const struct http_spec spec = {
        .agent = agent,
        .http_proxy = http ? http : all,
        .https_proxy = https ? https : all,
        .no_proxy =
            arena_printf(&a, "%s%slocalhost,127.0.0.1,::1", none ? none : "", none ? "," : ""),
        .ca_file = value_of(env, "SSL_CERT_FILE"),
        .trusts_all = settings_flag("GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY") || settings_is_on(blind),
        .retry_ms = minute_ms ? retry_ms * minute_ms / 60000 + 1 : retry_ms,
    };

    if (spec.trusts_all)
        fputs("ostler: no server's certificate is checked "
              "(GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY): whoever is between us and it can read "
              "tokens and change jobs. For tests only\n",
              stderr);
    return http_new(&spec, loop, ret, err);
}

int web_open(struct loop *loop, const char *agent, int64_t retry_ms, struct http **ret,
             struct err *err)
{
    return web_open_with(loop, agent, retry_ms, NULL, ret, err);
}
