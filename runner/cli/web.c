#include "cli/web.h"

#include "base/arena.h"
#include "cli/settings.h"

/* site_adopt() has put both spellings in order, and given proxies a scheme. */
int web_open(struct loop *loop, const char *agent, int64_t retry_ms, struct http **ret,
             struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *all = settings_env("all_proxy"), *http = settings_env("http_proxy"),
               *https = settings_env("https_proxy"), *none = settings_env("no_proxy");
    const struct http_spec spec = {
        .agent = agent,
        .http_proxy = http ? http : all,
        .https_proxy = https ? https : all,
        .no_proxy =
            arena_printf(&a, "%s%slocalhost,127.0.0.1,::1", none ? none : "", none ? "," : ""),
        .ca_file = settings_env("SSL_CERT_FILE"),
        .trusts_all = settings_flag("GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY"),
        .retry_ms = retry_ms,
    };

    if (spec.trusts_all)
        fputs("ostler: no server's certificate is checked "
              "(GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY): whoever is between us and it can read "
              "tokens and change jobs. For tests only\n",
              stderr);
    return http_new(&spec, loop, ret, err);
}
