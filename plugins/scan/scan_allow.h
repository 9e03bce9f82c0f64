/* scan_allow - what is known and accepted: a file of the project, and comments beside the secret itself. Pure but for
 * reading the file.
 *
 *     # fixtures hold made-up keys
 *     path tests/fixtures/
 *     rule jwt docs/
 *     rule generic-secret
 *     sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae */
#pragma once

#include "scan_rules.h"

enum { ALLOW_SIZE_MAX = 1 << 20, ALLOW_ENTRIES_MAX = 10000 };

struct allowance {
    const char *rule;    /* "": any */
    const char *pattern; /* of paths from the workspace; "": any */
    const char *sha256;  /* of the secret; "": any */
};

struct allow { /* zeroed allows nothing */
    struct allowance *list;
    size_t n;
};

/* Reads the text of the file NAME. OST_E_INVALID, recorded: a line of it is none of the above. */
ost_status allow_read(struct ost_step *step, const char *name, struct span text, struct allow *ret);

bool allow_has(struct ost_step *step, const struct allow *a, const struct rule *rule,
               const char *path, struct span secret);

/* A comment in LINE that lets RULE pass: "ostler:allow", "ostler:allow jwt", and those that gitleaks, detect-secrets
 * and trufflehog know: "gitleaks:allow", "pragma: allowlist secret", "trufflehog:ignore". */
bool allow_comment(struct span line, const char *rule);

/* "pragma: allowlist nextline secret": the line behind LINE may hold one. */
bool allow_next_line(struct span line);

/* Whether PATH fits PATTERN: "*" and "?" stay within a folder, a "**" crosses them; a folder stands for all in it. */
bool allow_path(const char *pattern, const char *path);
