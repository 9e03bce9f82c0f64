/* files - the files through which a step talks to the runner: GITHUB_ENV, GITHUB_OUTPUT and the others.
 *
 * The parsers are pure and see decoded text. The file set of a step is made before the step and read
 * after it, when the job may have put anything in its place: what is not a regular file is refused
 * without being opened, and no name leads out of the folder. */
#pragma once

#include "base/mask.h"

/* In the order in which they are processed. */
enum file_kind {
    FILE_PATH,
    FILE_ENV,
    FILE_SUMMARY,
    FILE_STATE,
    FILE_OUTPUT,
    FILE_ARTIFACTS,
    FILE_ARTIFACTS_LIST, /* read by the step only */
    FILE_KINDS
};

struct file_info {
    const char *variable; /* "GITHUB_OUTPUT" */
    const char *context;  /* member of the github context: "output" */
    const char *prefix;   /* of the file's name: "set_output_" */
};

const struct file_info *file_info(enum file_kind kind);

enum {
    FILES_SIZE_MAX = 64 << 20,   /* of any of them; GitHub's service takes 50 MB of outputs a run */
    FILES_SUMMARY_MAX = 1 << 20, /* a larger summary is not kept; the step does not fail */
};

/* ---- text ---- */

/* Appends RAW as UTF-8: a byte order mark (UTF-8, UTF-16, UTF-32) decides the encoding and is dropped,
 * what is invalid becomes U+FFFD. */
void files_decode(struct slice raw, struct buf *out);

/* One entry, borrowed for the call. A negative return stops the parser and is handed on. */
typedef int files_pair_fn(void *ctx, struct slice name, struct slice value, struct err *err);
typedef int files_path_fn(void *ctx, struct slice path, struct err *err);

/* The grammar of GITHUB_ENV, GITHUB_OUTPUT and GITHUB_STATE (runtime contract 6.2). Entries before an
 * erroneous line have been handed to FN when ERR_INVALID names that line. */
MUST_CHECK int files_parse_pairs(struct slice text, files_pair_fn *fn, void *ctx, struct err *err);

/* GITHUB_PATH: one path a line (LF, CRLF or CR), empty lines skipped. */
MUST_CHECK int files_parse_paths(struct slice text, files_path_fn *fn, void *ctx, struct err *err);

/* Appends a summary as it may be shown: each line masked, lines ending in LF. */
void files_scrub(struct slice text, const struct mask *mask, struct buf *out);

/* ---- files ---- */

struct files; /* the set of one step */

/* Makes the empty files of a step in DIR, the folder "_temp/_runner_file_commands". DIR is borrowed:
 * keep it open from before the job's first step, so that the job cannot move another in its place. */
MUST_CHECK int files_new(int dir, struct files **ret, struct err *err);
/* Lets everybody write them: a container may run as anybody. */
MUST_CHECK int files_share(const struct files *f, struct err *err);
/* Removes the files, too. Returns NULL; files_free(NULL) does nothing. */
struct files *files_free(struct files *f);

/* The file's name in the folder: "set_output_<uuid>". Borrowed. */
const char *files_name(const struct files *f, enum file_kind kind);

/* Appends the decoded text of a file. One that the step removed is empty. ERR_DENIED when it is no
 * regular file any more, ERR_LIMIT over FILES_SIZE_MAX (a summary: over FILES_SUMMARY_MAX). */
MUST_CHECK int files_read(const struct files *f, enum file_kind kind, struct buf *to,
                          struct err *err);

/* Writes what the step may read (FILE_ARTIFACTS_LIST), before it starts. */
MUST_CHECK int files_write(const struct files *f, enum file_kind kind, struct slice text,
                           struct err *err);
