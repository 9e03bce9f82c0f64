/* cases - tables of documents: tests/data/{yaml,workflow,action}/NAME.txt.
 *
 * A file is a list of cases:
 *
 *     === what it shows
 *     the document, to the next line with dashes
 *     --- says
 *     3:5: Unexpected value 'x' (did you mean 'y'?)
 *     --- is
 *     what the document became, in the words of the test
 *
 * A part that is missing has to come out empty. "\t", "\r", "\xHH" and "\\" in a document whose title ends in
 * "(escaped)" are replaced. What is before the first case is for readers. */
#pragma once

#include "lang/diag.h"

struct doc_case {
    const char *title;
    struct slice document, says, is; /* `says` and `is` without the final line end */
};

/* What a test makes of a document. Both go to the arena; SAYS from the findings. */
typedef struct slice doc_read_fn(struct arena *a, struct slice document, struct diags *diags);

/* Runs FN over each case of tests/data/FOLDER/NAME.txt and fails the test for each that came out differently. */
void each_case(const char *folder, const char *name, doc_read_fn *fn);

/* The findings, one a line: "L:C: MESSAGE (HINT)", "warning: " in front of what is no error. */
struct slice findings_text(struct arena *a, const struct diags *diags);
