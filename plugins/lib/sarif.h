/* sarif - findings as SARIF 2.1.0, which code-scanning services read. Pure. */
#pragma once

#include "findings.h"

struct sarif_run {
    const char *tool, *url;                /* its name and its home; neither is "" */
    const struct findings *const *results; /* NULL-terminated */
};

/* RUNS end with one without a tool. */
const char *sarif_format(struct ost_step *step, const struct sarif_run *runs);
