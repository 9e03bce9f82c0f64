/* reference - names of images: "[HOST[:PORT]/]NAME[:TAG][@DIGEST]". Pure. */
#pragma once

#include "../lib/text.h"

enum { REFERENCE_NAME_MAX = 255, REFERENCE_TAG_MAX = 128, REFERENCE_HOST_MAX = 255 };

struct reference {
    const char *host;   /* as people write it: "docker.io", "ghcr.io", "127.0.0.1:5000" */
    const char *name;   /* "library/busybox" */
    const char *tag;    /* NULL: none */
    const char *digest; /* "sha256:..."; NULL: none */
};

/* NULL, or what is wrong with TEXT; then *RET is untouched. */
const char *reference_parse(struct ost_step *step, const char *text, struct reference *ret);

bool reference_is_tag(struct span text);
bool reference_is_digest(struct span text); /* sha256 or sha512, with the right number of digits */

/* Whom to ask: Docker Hub has another name there. */
const char *reference_api_host(const char *host);
/* Its key in `auths` of config.json. */
const char *reference_auth_key(const char *host);
/* It is this machine: 127.0.0.0/8, ::1, localhost. */
bool reference_is_loopback(const char *host);
/* "docker.io" for all names of Docker Hub; others as they are. */
const char *reference_host(const char *host);
