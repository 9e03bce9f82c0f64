/* source - where repositories of others are had: a server, or a folder with clones of them.
 *
 *   https://github.com               the default: https://github.com/OWNER/REPO
 *   https://git.example.org/mirrors  a mirror of it
 *   ssh://git@github.com, git@github.com:
 *   file:///srv/mirrors, /srv/mirrors
 *   https://api.github.com, https://git.example.org/{owner}/{repo}/{sha}.tar.gz    archives: see web.h
 */
#pragma once

#include "lang/action_ref.h"

enum { SOURCE_MAX = 500 };
#define SOURCE_DEFAULT "https://github.com"

/* SOURCE as git takes it, in A. ERR_INVALID for what is none, saying what is. */
MUST_CHECK int source_parse(struct arena *a, const char *text, const char **ret, struct err *err);

/* Its name as a folder: "github.com"; whatever a server's name has no letters for is written %XX. Who asks
 * (user and password) is no part of it. ERR_LIMIT: too long for a file system. */
MUST_CHECK int source_host(struct arena *a, const char *source, const char **ret, struct err *err);

/* SOURCE to be shown: without user and password. */
const char *source_without_user(struct arena *a, const char *source);

/* The address of REF's repository. */
const char *source_address(struct arena *a, const char *source, const struct action_ref *ref);

/* The same to be shown: without user and password. */
const char *source_shown(struct arena *a, const char *source, const struct action_ref *ref);
