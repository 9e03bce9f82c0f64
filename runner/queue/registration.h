/* registration - what a server knows this machine by: a folder with the files that the reference runners keep.
 *
 *   .runner                  settings; GitHub's runner, act_runner and forgejo-runner each have members of their own
 *   .credentials             GitHub: how tokens are had
 *   .credentials_rsaparams   GitHub: the private key
 *   .runner_migrated, .credentials_migrated   GitHub: what the service has put in the place of the first two
 *
 * Registrations that those programs made are read as they are, and they read ours. The folder is 0700 and the files are
 * 0600 when we make them; none is read that others may write. A registration may also live in memory only (GitHub's
 * just-in-time configuration). */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum registration_kind { REGISTRATION_GITHUB, REGISTRATION_GITEA, REGISTRATION_KINDS };

enum {
    REGISTRATION_FILE_MAX = 256 << 10, /* bytes of one file */
    REGISTRATION_CAPACITY_MAX = 1000,
    REGISTRATIONS_MAX = 1000, /* below one folder */
};

struct registration { /* all is its own and stays as it is until registration_free() */
    enum registration_kind kind;
    const char *path; /* of the folder, absolute; NULL: it lives in memory */
    const char *id;   /* the folder's name: tells it from others of a listener; no '/' in it */
    const char *name; /* by which the server shows this runner */
    const char *
        url; /* what was registered with: a repository, an organisation, an instance; "" if that is not said */
    const char *const *
        labels; /* NULL-terminated; GitHub's own program does not write them down: then there are none */
    bool ephemeral; /* one job, then the server forgets it */
    int capacity;   /* jobs at once; of GitHub's always 1 */
};

/* "github", "gitea". */
const char *registration_kind_name(enum registration_kind kind);

/* The one in the folder PATH. ERR_NOT_FOUND: there is none; ERR_DENIED: others may write it, or it may not be read;
 * ERR_INVALID: its files are broken. *RET is the caller's. */
MUST_CHECK int registration_load(const char *path, struct registration **ret, struct err *err);

/* One that lives in memory: FILES has the names of files as keys and their documents as values. ID: as in the struct. */
MUST_CHECK int registration_memory(const char *id, json_t *take_files, struct registration **ret,
                                   struct err *err);

/* Lets go of it, and of the lock; wipes what is in memory. Returns NULL; NULL does nothing. */
struct registration *registration_free(struct registration *r);

/* The paths of all registrations below FOLDER, itself included, by name, NULL-terminated: one allocation, to be freed.
 * One that is broken is among them. ERR_NOT_FOUND: there is no such folder. */
MUST_CHECK int registration_list(const char *folder, char ***ret, struct err *err);

/* The document in the file NAME (".credentials"). ERR_NOT_FOUND: there is none. *RET is a new reference; loose_wipe() it
 * when it held secrets. */
MUST_CHECK int registration_read(const struct registration *r, const char *name, json_t **ret,
                                 struct err *err);

/* ERR says what is wrong with what the file NAME holds: it gets the file's path, and the way out. Returns its code. */
int registration_broken(const struct registration *r, const char *name, struct err *err);

/* Replaces the file NAME, all or nothing, in the form in which its own program writes it. */
MUST_CHECK int registration_write(struct registration *r, const char *name, const json_t *document,
                                  struct err *err);

/* Keeps other listeners of this machine off it until registration_free(). ERR_DENIED: one has it. */
MUST_CHECK int registration_lock(struct registration *r, struct err *err);

/* The server has forgotten it: removes the files, and the folder if nothing else is in there. What is in memory is wiped. */
MUST_CHECK int registration_remove(struct registration *r, struct err *err);

/* Removes what is in the folder PATH and cannot be read as a registration any more. ERR_DENIED: a listener has it. */
MUST_CHECK int registration_discard(const char *path, struct err *err);

/* ---- making one ---- */

/* Makes the folder PATH ready before a server is asked: it is there, ours alone, can be written, and holds no registration
 * yet (ERR_DENIED, with the cure). */
MUST_CHECK int registration_prepare(const char *path, struct err *err);

/* Writes FILES (as for registration_memory(); borrowed) into the prepared folder PATH: all of them or none. */
MUST_CHECK int registration_create(const char *path, enum registration_kind kind,
                                   const json_t *files, struct err *err);
