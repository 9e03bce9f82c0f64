/* make - one backup: a dump goes through the compressor into the store as it comes, with no copy on disk. */
#pragma once

#include "manifest.h"

/* *RET, made at STAMP, is whole and in S, manifest and all; below 0, recorded, and it is no backup. */
ost_status make_backup(struct store *s, const char *stamp, struct manifest *ret);
