/* trust - may this object run here? Asked of an open file, answered with a sealed copy of it.
 *
 * In this order, each failure naming the file and the cure: the object is opened beneath its root and
 * through no symbolic link; it and every folder above it belong to root or to us and can be written by
 * nobody else; the policy allows the plugin; then it is copied into a memfd, the copy is sealed, and the
 * copy's SHA-256 is compared with the install record and the policy. What is loaded later is that copy. */
#pragma once

#include "plugin/plugin.h"

enum trust_mode {
    TRUST_INSTALLED,  /* what is installed in the search path may run */
    TRUST_ALLOW_LIST, /* only what a rule names */
};

struct trust_rule {
    const char *id;
    const char *version;       /* "1.4.2", ">=1.4 <2"; NULL: any */
    const char *const *sha256; /* NULL-terminated, hex; NULL: whatever the install record says */
};

struct trust_policy { /* zeroed: TRUST_INSTALLED */
    enum trust_mode mode;
    const struct trust_rule *rules;
    size_t n_rules;
};

/* The policy's word on P, from the record alone: ERR_OK, or ERR_DENIED with the reason. */
MUST_CHECK int trust_allows(const struct trust_policy *policy, const struct plugin *p,
                            struct err *err);

/* All the checks. On success *RET is a sealed memfd, the caller's to close. ERR_DENIED and the reason
 * when it may not run; ERR_NOT_FOUND when the object is gone. POLICY NULL: TRUST_INSTALLED. */
MUST_CHECK int trust_open(const struct trust_policy *policy, const struct plugin *p, int *ret,
                          struct err *err);

enum { TRUST_HEX_SIZE = 65 };

/* Copies FD from its start into a new sealed memfd named NAME and digests the copy. */
MUST_CHECK int trust_seal(int fd, const char *name, int *ret, char ret_sha256[TRUST_HEX_SIZE],
                          struct err *err);
