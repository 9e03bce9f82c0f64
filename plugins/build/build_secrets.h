/* build_secrets - secrets of an image build: files that only the job can read, for as long as the build runs. */
#pragma once

#include "../lib/text.h"

enum { SECRETS_MAX = 32 };

struct secret_files {       /* zeroed is empty */
    struct strings options; /* "id=NAME,src=/path", for --secret */
    struct strings paths;
};

/* Masks the values of the "NAME=value" lines, and writes each into a file of its own. Below 0: recorded, without a
 * value. What was written has to be removed all the same. */
ost_status secrets_write(struct ost_step *step, const char *lines, struct secret_files *to);

void secrets_remove(struct secret_files *s);

/* A file of ours, once it has been read. */
void file_remove(const char *path);
