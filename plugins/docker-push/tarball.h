/* tarball - what lies where in a tar archive: looked through once, then its files are read in place, from any thread.
 * Archives are hostile: names, links and numbers of entries are bounded, links lead nowhere but to other entries, and
 * of a file that is not whole nothing is believed. */
#pragma once

#include "image.h"

enum {
    TAR_ENTRIES_MAX = 20000,
    TAR_NAME_MAX = 4096,
    TAR_LINKS_MAX = 16, /* of links to links */
};

struct tarball; /* in phase memory */

/* Looks through the archive in FD, and takes it: it is closed when that fails, and when the archive is compressed as a
 * whole (gzip, zstd, xz, bzip2), which is unpacked into a spool first. NAME is for messages. Errors have been recorded;
 * OST_E_INVALID: it is no archive. */
ost_status tarball_open(struct ost_step *step, int fd, const char *name, struct tarball **ret);

/* What its files are read from: the caller's to close. */
int tarball_fd(const struct tarball *t);

/* The regular file NAME, links followed. False: there is none. */
bool tarball_find(struct ost_step *step, const struct tarball *t, const char *name,
                  struct piece *ret);
