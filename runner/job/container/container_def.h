/* container_def - what a workflow says of a container: `container:` of a job, or one of `services:`.
 *
 * Pure: values in, argument vectors out; nothing is started here. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/strmap.h"
#include "base/vec.h"

#include <jansson.h>

struct container_def {
    const char *alias;               /* the service's key; NULL: the job's own container */
    const char *image;               /* without "docker://"; "": there is to be none */
    const char *username, *password; /* NULL: none */
    const char *options;             /* as written, not parsed; "" */
    const char *entrypoint;          /* NULL: the image's own */
    const char *command;             /* the same; arguments as one text */
    const char **ports, **volumes;   /* NULL-terminated */
    struct strmap env;
};

/* Reads the evaluated value of `container`, or of one service: a text is the image. The results live in A but for
 * env, which container_def_deinit() releases. ERR_INVALID names what is no text. */
MUST_CHECK int container_def_read(struct arena *a, const char *alias, const json_t *value,
                                  struct container_def *ret, struct err *err);
void container_def_deinit(struct container_def *d);

/* The registry to log in at: the image's first part if it names a host, else "" for Docker Hub. */
const char *container_registry(struct arena *a, const char *image);

/* "3f..._postgres15_1a2b3c" from two random texts of at least 32 and 6 hexadecimal digits. */
const char *container_name(struct arena *a, const char *before, const char *image,
                           const char *after);

/* What the caller decides for `create`. */
struct container_setting {
    const char *name, *label, *network;
    const char *workdir;        /* NULL: the image's */
    const char *const *mounts;  /* "host:inside[:ro]", NULL-terminated; NULL: none */
    const char *const *program; /* entrypoint and arguments instead of D's, NULL-terminated; NULL */
    const char *const *limits;  /* options behind the workflow's, which they outdo; NULL: none */
    const char *env_file;
};

/* Whether containers of NETWORK find each other by their names: not in those that an engine brings. */
bool container_network_has_names(const char *network);

/* The arguments of the engine's `create`, NULL-terminated, in A. */
const char *const *container_create_args(struct arena *a, const struct container_def *d,
                                         const struct container_setting *s);

/* Reads what `port` prints ("5432/tcp -> 0.0.0.0:49153") into "5432": "49153"; the last line of a port
 * counts, but one of IPv6 only where there is none of IPv4. New reference. */
json_t *container_ports_read(struct slice text);

/* D as a container hook is told of it (runtime contract 10.6), without its system mounts. New reference. */
json_t *container_def_json(const struct container_def *d);

/* "source:target[:ro]", or "target[:ro]", in its parts: {"sourceVolumePath", "targetVolumePath", "readOnly"}. */
json_t *container_volume_json(const char *text);

/* Arguments of the engine while they are put together; to be ended with vec_deinit(). */
struct args {
    VEC(const char *) list;
};
/* OPTION and VALUE, borrowed; NULL: left out. */
void args_add(struct args *args, const char *option, const char *value);
