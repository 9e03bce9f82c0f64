/* inputs - ACTIONS_RUNNER_INPUT_NAME: options of "register", "unregister" and "listen" that come through the environment, as
 * the official runner takes them. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

/* Takes all of them out of our environment, and overwrites them where /proc would still show them: no job and no helper ever
 * sees one. Once, before anything is started or asked for. */
void inputs_take(void);

/* The value of option NAME ("token", "no-default-labels"; '_' in a variable stands for '-'); NULL: it was not set, or empty.
 * Valid until inputs_wipe(). */
const char *inputs_get(const char *name);

/* The same for a flag: "1" and "true", in any case. */
bool inputs_flag(const char *name);

/* Whether there was any, empty or not; until inputs_wipe(). */
bool inputs_any(void);

/* They have all been read: there may be secrets among them. */
void inputs_wipe(void);

/* The secret that FILE holds ("-": stdin), without the white space around it. *RET, which may hold another one, is wiped
 * and replaced; it is the caller's. */
MUST_CHECK int inputs_read_secret(const char *file, char **ret, struct err *err);

/* What stands between the commas of TEXT ("a, b"), without the white space around it and without what is empty; NULL-terminated,
 * of A. TEXT may be NULL. */
const char *const *inputs_list(struct arena *a, const char *text);
