/* challenge - what a registry wants to see before it answers: `WWW-Authenticate`. Pure. */
#pragma once

#include "../lib/text.h"

enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge { /* texts are "" where nothing is said */
    enum challenge_kind kind;
    const char *realm, *service, *scope, *error;
};

/* Reads all `WWW-Authenticate` lines of HEADERS; Bearer is preferred to Basic, others are passed over. */
struct challenge challenge_read(struct ost_step *step, struct span headers);
