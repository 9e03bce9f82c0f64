/* mnt - the mount calls of Linux 5.12 and later: mounts are made detached and put in their place. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* The tree of mounts at PATH (relative to DIR, "" for DIR itself), as a detached copy. */
MUST_CHECK int mnt_clone(int dir, const char *path, bool read_only, bool no_suid, int *ret,
                         struct err *err);

/* A new file system of TYPE; OPTIONS are "name=value" or "name", NULL-terminated. */
MUST_CHECK int mnt_new(const char *type, const char *const *options, bool no_suid, int *ret,
                       struct err *err);

/* Puts the detached MOUNT at PATH (relative to DIR, "" for DIR itself). */
MUST_CHECK int mnt_attach(int mount, int dir, const char *path, struct err *err);

/* Takes off what lies on PATH, a mount of the job's: who is in it already stays there. */
MUST_CHECK int mnt_detach(const char *path, struct err *err);

/* Makes the folder PATH the root of this mount namespace and lets go of the old one. */
MUST_CHECK int mnt_pivot(const char *path, struct err *err);

/* No mount from here on is told to, or comes from, another namespace. */
MUST_CHECK int mnt_make_private(struct err *err);

/* Moves this process to the mount namespace NS; its root and folder become that one's "/". */
MUST_CHECK int mnt_enter(int ns, struct err *err);
