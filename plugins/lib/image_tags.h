/* image_tags - tags of a container image, made by rule from what the run is for. Pure but for the contexts
 * that image_facts_get() asks for.
 *
 *     latest                     "latest", on the default branch
 *     sha, sha-<commit>          "sha-" and the commit; sha:7: its first 7 digits
 *     branch, branch-<name>      "branch-" and the name, on a branch
 *     pr, pr-<number>            "pr-" and the number, for a pull request
 *     semver                     the version, on a tag that is one ("v1.4.2" or "1.4.2")
 *     semver:{{major}}.{{minor}} likewise; of a pre-release nothing that names less than all of it
 *     =latest                    the tag behind the sign, always
 *
 * Anything else is a tag itself. A rule that has nothing to say about this run gives none. */
#pragma once

#include "text.h"

enum { IMAGE_TAG_MAX = 128, IMAGE_TAGS_MAX = 100 };

struct image_facts {            /* texts are never NULL; "": not known */
    const char *ref;            /* "refs/heads/main", "refs/tags/v1.4.2", "refs/pull/7/merge" */
    const char *commit;         /* 40 or 64 hex digits */
    const char *default_branch; /* "main" */
    const char *pull_request;   /* "7" */
};

/* Of the job's contexts. */
struct image_facts image_facts_get(struct ost_step *step);

/* The tags of RULES, NULL-terminated, in their order and each once; TO may come back empty. OST_E_INVALID, recorded:
 * a rule that is none and no legal tag either. OST_E_LIMIT, recorded: more than IMAGE_TAGS_MAX. */
ost_status image_tags(struct ost_step *step, const char *const *rules,
                      const struct image_facts *facts, struct strings *to);

/* [A-Za-z0-9_][A-Za-z0-9._-]{0,127} */
bool image_tag_is_legal(const char *tag);

/* TEXT as a legal tag: what no tag may hold becomes "-", what none may begin with goes, the rest is cut off.
 * "" when nothing is left. */
const char *image_tag_of(struct ost_step *step, struct span text);
