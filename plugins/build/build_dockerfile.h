/* build_dockerfile - the images that a Dockerfile builds upon. Pure. */
#pragma once

#include "../lib/text.h"

enum { DOCKERFILE_SIZE_MAX = 1 << 20 };

struct bases {
    struct strings images; /* each once; without "scratch" and the file's own stages */
    const char *unknown;   /* what cannot be told from the text alone: "FROM $BASE"; NULL */
};

/* https://docs.docker.com/reference/dockerfile/ : FROM [--platform=p] image [AS name], and COPY --from=image. A
 * variable with a default (ARG BASE=debian:12) counts as unknown, for build arguments change it. */
struct bases dockerfile_bases(struct ost_step *step, struct span text);

/* True if IMAGE names its content: "debian@sha256:...". */
bool image_is_pinned(const char *image);
