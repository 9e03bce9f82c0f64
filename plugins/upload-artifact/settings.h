/* settings - the inputs that upload-artifact and its merge share. */
#pragma once

#include "../lib/artifact.h"

#ifndef UPLOAD_VERSION
#define UPLOAD_VERSION "7.0.0" /* the same code serves every major that the build asks for */
#define UPLOAD_MAJOR 7
#endif

/* DAYS, LEVEL and MAJOR of *RET. A value that is none fails the step, which is recorded. */
ost_status settings_read(struct ost_step *step, struct artifact_upload *ret);
