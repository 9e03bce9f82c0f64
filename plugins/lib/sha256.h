/* sha256 - SHA-256 of texts and files, as 64 lower-case hex digits. */
#pragma once

#include "text.h"

enum { SHA256_HEX = 64 };

const char *sha256_text(struct ost_step *step, struct span text);

/* Of the file PATH beneath the open folder DIR, which no symbolic link on the way may lead out of. *RET_SIZE is
 * the number of bytes; it may be NULL. OST_E_IO, not recorded: *RET_WHY says what is wrong with it. */
ost_status sha256_file(struct ost_step *step, int dir, const char *path, const char **ret_hex,
                       int64_t *ret_size, const char **ret_why);
