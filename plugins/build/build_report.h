/* build_report - tells the host what was built: files, outputs, step summary. */
#pragma once

#include "build_settings.h"

/* Writes SHA256SUMS, and the provenance unless the build was skipped: then the one that was kept is the truth. */
ost_status report_files(struct build *b);

/* Outputs and summary, and the artifact if one is to be uploaded. */
ost_status report_outputs(struct build *b);
