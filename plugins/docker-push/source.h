/* source - finds the images to push: in a file, a folder, or an engine of the job's. */
#pragma once

#include "image.h"
#include "tarball.h"

/* Adds the images of TEXT to TREE: "engine:NAME", or a path, relative to the workspace, of an archive (of `docker save`,
 * skopeo, buildah; compressed or not) or an OCI layout (a folder, or a tar of one), with "#NAME" behind it where it
 * holds several. ENGINE: "auto", or the program that has NAME. Errors have been recorded; OST_E_NOT_FOUND: there is no
 * such file. */
ost_status source_add(struct ost_step *step, const char *text, const char *engine,
                      struct tree *tree);

/* True if TEXT asks an engine, which runs a command. */
bool source_is_engine(const char *text);

/* Closes all that TREE is read from. */
void tree_close(struct tree *tree);

/* ---- the two kinds of archives ---- */

struct store { /* where files are looked for by name: in TAR, else below the folder DIR */
    const struct tarball *tar;
    int dir;
    struct tree *tree; /* which keeps what is opened */
    const char *name;  /* of the archive or folder, for messages */
};

/* False: there is no such file. Nothing outside is ever opened. */
bool store_find(struct ost_step *step, const struct store *s, const char *name, struct piece *ret);

/* WANTED: the name of the image; "" when there is only one. */
ost_status source_docker(struct ost_step *step, const struct store *s, const char *wanted,
                         struct tree *tree);
ost_status source_oci(struct ost_step *step, const struct store *s, const char *wanted,
                      struct tree *tree);

/* An image at the end of TREE, in phase memory; NULL: there are too many, which has been recorded. */
struct image *tree_add(struct ost_step *step, struct tree *tree, const char *source);
/* The same for a blob of IMAGE, config or layer; counts it. */
struct blob *tree_blob(struct ost_step *step, struct tree *tree);
