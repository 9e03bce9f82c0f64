/* check - whether a backup is one: fetched, held against its sums, restored into a scratch database that is made for it
 * and dropped again, and counted table by table. */
#pragma once

#include "manifest.h"

/* OST_OK: it is good. Below 0, recorded, what is wrong with it. */
ost_status check_backup(struct store *s, const struct manifest *m);

/* Brings it back: into the new database or the new folder 'restore-to'. */
ost_status check_restore(struct store *s, const struct manifest *m);

/* Drops a scratch database that an earlier phase has left. */
ost_status check_tidy(const struct settings *set);
