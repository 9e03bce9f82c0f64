/* container_policy - what the containers of a job may have of this machine, by the word of who runs it.
 *
 *     [{"file": "/etc/ostler/config.yml", "volumes": ["data", "/srv/cache"], "options": ["--privileged", "--device=/dev/kvm"],
 *       "socket": true, "add": "--add-host=git.example.org:host-gateway", "network": "ci"}]
 *
 * one object for each place that says something; all members but "file" may be missing.
 *
 *   volumes   volumes by their names, and folders by their whole paths, that a job may mount. "*" is any run of characters
 *             without "/", "**" with it. Nobody has to allow a volume without a name, or what lies in the job's own folder
 *   options   that a job may give to the engine beside the harmless ones: "--gpus", with one value "--gpus=all", all
 *             of them "*"
 *   socket    whether jobs are shown the engine's socket, with which they can do anything: this machine is theirs then
 *   add       options that each container gets, before its own
 *   network   of this name, instead of one of the job's own
 *
 * What a job asks for it gets if a place speaks of it and each place that speaks of it (has the member) allows it. NULL
 * instead of the list: the job is a user's own, and may do whatever the user may. */
#pragma once

#include "job/container/container_def.h"

enum {
    CONTAINER_POLICY_TEXT_MAX = 4096, /* bytes of a text */
    CONTAINER_POLICY_LIST_MAX = 1000,
};

/* Whether VALUE is right as the member KEY of such an object. ERR_INVALID, with the cure. */
MUST_CHECK int container_policy_member(const char *key, const json_t *value, struct err *err);

/* The members there are, without "file"; NULL-terminated. */
extern const char *const container_policy_members[];

/* What `container:` or a service asks for. OWN tells whether a path (normal, absolute) lies in the job's own folder. Paths
 * that are allowed stand in D->volumes as they were looked at, without links: they are what is to be mounted.
 * ERR_DENIED names what is not allowed and the key that would allow it. */
struct container_policy_own {
    bool (*has)(void *ctx, const char *path);
    void *ctx;
};
MUST_CHECK int container_policy_check(struct arena *a, const json_t *policies,
                                      const struct container_policy_own *own,
                                      struct container_def *d, struct err *err);

/* Jobs are shown the engine's socket. */
bool container_policy_shows_socket(const json_t *policies);

/* The options that each container gets, as one text in A: "" for none. */
const char *container_policy_added(struct arena *a, const json_t *policies);

/* The network that jobs' containers are in, borrowed; NULL: one of their own. */
const char *container_policy_network(const json_t *policies);
