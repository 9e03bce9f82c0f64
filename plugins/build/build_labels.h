/* build_labels - what an image is called, and what it says of itself. */
#pragma once

#include "../lib/image_tags.h"

/* "IMAGE:tag" for each of TAGS. OST_E_INVALID, recorded: IMAGE is no name of one. */
ost_status labels_refs(struct ost_step *step, const char *image, const struct strings *tags,
                       struct strings *ret);

/* The labels of https://specs.opencontainers.org/image-spec/annotations/ that the run tells, as "key=value", then
 * OWN, of which each takes the place of one with its key. TAG is the version; "": none. OST_E_INVALID, recorded: one
 * of OWN is no "key=value". */
ost_status labels_make(struct ost_step *step, const char *tag, const char *const *own,
                       struct strings *ret);
