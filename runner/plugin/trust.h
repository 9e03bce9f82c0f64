/* trust - may this object run here? Asked of an open file, answered with a sealed copy of it.
 *
 * In this order, each failure naming the file and the cure: the object is opened beneath its root and
 * through no symbolic link; it, its install record and every folder above them belong to root or to us and can be
 * written by nobody else; the policy allows the plugin; the record is what was read before, and carries the signature
 * that the policy wants; then the object is copied into a memfd, the copy is sealed, and the copy's SHA-256 is compared
 * with the install record and the policy. What is loaded later is that copy.
 *
 * What is signed is install.json: it holds the contract, the commits that are served and the SHA-256 of the object.
 * install.json.sig beside it is the signature, 64 bytes (io/digest_ed25519.h). */
#pragma once

#include "io/digest_ed25519.h"
#include "plugin/plugin.h"

enum trust_mode {
    TRUST_INSTALLED,  /* what is installed in the search path may run */
    TRUST_ALLOW_LIST, /* only what a rule names */
};

/* Plugins that lie in a job's workspace run where a policy says so, and none says no. */
enum trust_workspace { TRUST_WORKSPACE_UNSAID, TRUST_WORKSPACE_YES, TRUST_WORKSPACE_NO };

struct trust_rule {
    const char *id;            /* "acme/push", all of "acme/" + "*", or "*"; case does not matter */
    const char *version;       /* "1.4.2", ">=1.4 <2"; NULL: any */
    const char *const *sha256; /* NULL-terminated, hex; NULL: whatever the install record says */
    const char *signer;        /* whose signature the record carries; NULL: it needs none */
    const char *const *network; /* hosts, NULL-terminated; NULL: as the plugin's contract has it */
};

struct trust_signer {
    const char *name;
    unsigned char key[ED25519_KEY_SIZE];
};

struct trust_policy { /* zeroed: TRUST_INSTALLED */
    enum trust_mode mode;
    const struct trust_rule
        *rules; /* of those that name a plugin and its version the first decides, in both modes */
    size_t n_rules;
    const char *file; /* that states it, for messages; NULL: none */
    const struct trust_signer *signers;
    size_t n_signers;
    enum trust_workspace workspace;
    const struct trust_policy *next; /* that has to allow it, too; NULL: none */
};

/* The policy's word on P, from the record alone: ERR_OK, or ERR_DENIED with the reason. */
MUST_CHECK int trust_allows(const struct trust_policy *policy, const struct plugin *p,
                            struct err *err);

/* May plugins of the workspace run, of which NAME is one? ERR_DENIED and the reason: nothing of it should be looked at. */
MUST_CHECK int trust_workspace(const struct trust_policy *policy, const char *name,
                               struct err *err);

/* False: a policy lets run only what it names, and does not name P in any version: as if it were not installed. */
bool trust_names(const struct trust_policy *policy, const struct plugin *p);

/* The hosts that P may reach by the runner's requests, and its own process then has no network: lists of patterns, in
 * each of which one has to fit; NULL: nothing is said of it. A new reference. */
json_t *trust_hosts(const struct trust_policy *policy, const struct plugin *p);

/* All the checks. On success *RET is a sealed memfd, the caller's to close. ERR_DENIED and the reason
 * when it may not run; ERR_NOT_FOUND when the object is gone. POLICY NULL: TRUST_INSTALLED. */
MUST_CHECK int trust_open(const struct trust_policy *policy, const struct plugin *p, int *ret,
                          struct err *err);

enum { TRUST_HEX_SIZE = 65 };

/* Copies FD from its start into a new sealed memfd named NAME and digests the copy. */
MUST_CHECK int trust_seal(int fd, const char *name, int *ret, char ret_sha256[TRUST_HEX_SIZE],
                          struct err *err);
