/* policy - whose jobs may run here: `listen:` of a configuration, held against each job before its worker starts.
 *
 *     listen:
 *       allow:                                  # only what one of these names; without the key: everything
 *         - acme/app                            # short for {repository: acme/app}
 *         - {repository: "other/x-*", event: [push, schedule], ref: refs/heads/main}
 *       deny:                                   # and of that nothing that one of these names
 *         - {actor: "dependabot[bot]"}
 *       fork-pull-requests: deny                # no code from forks, whatever a rule says
 *       containers: {volumes: [/srv/cache]}     # what of this machine containers may have: containers.h
 *
 * A rule names a job if each of its keys does. "*" is any run of characters without "/", "**" with it, and all else stands
 * for itself. Repositories and actors are compared without regard to case, as the servers do.
 *
 * Each file is a policy of its own, and each has to allow a job: a later one never takes back what an earlier forbids.
 * The manual is cli/listen/policy.md. */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "job/job.h"
#include "lang/token.h"

enum {
    LISTEN_PATTERN_MAX = 512, /* bytes */
    LISTEN_RULES_MAX = 1000,  /* of a list, and patterns of a key */
};

struct listen_rules; /* of one file; lives in the arena that it was read into */

struct listen_policy {
    VEC(const struct listen_rules *) files;
    json_t *containers; /* job/container/container_policy.h; NULL: no file says anything of them */
};

void listen_policy_deinit(struct listen_policy *p);

/* Adds what MAP, the mapping `listen:` of FILE (which lives as long as A), says. ERR_INVALID with file, line, column and
 * cure; TO is as it was then. */
MUST_CHECK int listen_policy_take(struct arena *a, const char *file, const struct token *map,
                                  struct listen_policy *to, struct err *err);

/* ERR_DENIED: JOB may not run here; the text names the rule with file and line. Only the github context is looked at. What
 * it should say and does not is the empty text, which no allowing rule names but "**". */
MUST_CHECK int listen_policy_check(const struct listen_policy *p, const struct job *job,
                                   struct err *err);
