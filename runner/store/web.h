/* web - commits of others as archives over HTTP, for places where git is not spoken.
 *
 *   https://api.github.com                     GitHub's interface, or https://HOST/api/v3 of an enterprise's: a name is
 *                                              asked of /repos/OWNER/REPO/commits/REF, the commit had from
 *                                              /repos/OWNER/REPO/tarball/SHA, which leads elsewhere
 *   https://HOST/{owner}/{repo}/{sha}.tar.gz   a mirror's files; it knows no names, so references have to be
 *                                              commits, or stand in actions.lock
 *
 * A user and password in the address go to its own host alone (for GitHub "x-access-token" and a token), wherever the
 * server leads. What comes is not held against the commit: the server is believed, as git's would not be. */
#pragma once

#include "io/http.h"
#include "store/store.h"

/* Whether SOURCE (source_parse()) is one of these. */
bool web_is(const char *source);

/* Whether it can say what a name stands for. */
bool web_knows_names(const char *source);

/* The places of one commit, in A. */
const char *web_name_address(struct arena *a, const char *source, const struct action_ref *ref);
const char *web_archive_address(struct arena *a, const char *source, const struct action_ref *ref,
                                const char *sha);

/* What REF's name stands for. ENV: proxies and certificates (git_env.more). ERR_NOT_FOUND: there is no such name. Blocks. */
MUST_CHECK int web_resolve(const char *source, const struct action_ref *ref, const char *const *env,
                           char ret_sha[GIT_SHA_SIZE], struct err *err);

/* Writes the archive of the commit SHA into the file TO, from its beginning. ERR_NOT_FOUND: there is none; ERR_LIMIT: it
 * has more than SIZE_MAX bytes. Blocks. */
MUST_CHECK int web_fetch(const char *source, const struct action_ref *ref, const char *sha,
                         const char *const *env, uint64_t size_max, int to, struct err *err);

/* The same for an archive that was named for us, with its header; RETRY_MS as in store_spec. *RET_NOTE, in A, says what
 * went wrong on the way; untouched when nothing did. */
MUST_CHECK int web_fetch_given(const struct store_given *given, const char *const *env,
                               int64_t retry_ms, uint64_t size_max, int to, struct arena *a,
                               const char **ret_note, struct err *err);

/* A client that goes the way that ENV says, by LOOP: http_free() it before that. */
MUST_CHECK int web_client(const char *const *env, int64_t retry_ms, struct loop *loop,
                          struct http **ret, struct err *err);
