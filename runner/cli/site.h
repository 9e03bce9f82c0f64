/* site - what the administrator of this machine says once for all runs: `.env`, `.path`, proxies, certificates.
 *
 * A registered runner of GitHub's has `.env` and `.path` in its folder (runtime contract 11.2). Those of local runs are in
 * the configuration folders, the machine's first and then the user's, and never in the working tree: a repository's own
 * `.env` is the application's, and GitHub does not read it either. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* Changes our own environment, from which jobs and all our helpers get theirs; once, before anything is read from
 * it:
 *   .env   lines NAME=VALUE, taken as they are: no quotes, no comments; an empty value unsets. Other lines
 *          are not looked at
 *   .path  one line: the PATH
 *   proxies get a scheme where they have none, and both spellings; the lower-case one counts
 *   SSL_CERT_FILE is given to the tools that know it by another name, unless they have their own
 * A missing file is fine; one that cannot be read, or that others may write, is an error. */
MUST_CHECK int site_adopt(struct err *err);

/* The same for one registration, whose folder FOLDER may have the two files, too, as GitHub's runner has them in its own:
 * BASE with what they say in it. *RET lies in A; it is BASE itself where they say nothing. *RET_NET: they name proxies or
 * certificates, which then count for the registration's own server as well. */
MUST_CHECK int site_of_folder(struct arena *a, const char *folder, const char *const *base,
                              const char *const **ret, bool *ret_net, struct err *err);

/* Names that `.env` has set: jobs get them, too. Valid until the process ends. NULL-terminated. */
const char *const *site_names(void);
