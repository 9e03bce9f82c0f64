/* object - a plugin's shared object: looked at as a file, mapped, asked for its tables. Child only. */
#pragma once

#include "plugin/plugin.h"

/* Loads the system libraries that the object behind FD needs, while we still see the system they are of:
 * what the job's file system holds under their names is never loaded. Also checks that it is a shared
 * object for this machine. NAME is for messages. */
MUST_CHECK int object_prepare(int fd, const char *name, struct err *err);

/* The symbols that the object behind FD wants and that none of the libraries it needs has, as a list of names: new
 * reference. After object_prepare(). What this very process happens to have does not count: another runner has
 * not. */
MUST_CHECK int object_strangers(int fd, const char *name, json_t **ret, struct err *err);

/* Maps the object: FDS_DIR (see confine()) becomes the working directory. *RET is its symbol, which
 * stays valid until the process ends; nothing is ever unloaded. */
MUST_CHECK int object_load(int fds_dir, int fd, const char *name, const struct ost_plugin **ret,
                           struct err *err);

/* Where the object lies in memory; 0 and 0 before it is mapped. */
void object_range(uintptr_t *ret_from, uintptr_t *ret_to);

/* The plugin's struct as this runner knows it: the smaller of the two sizes, over zeroes. ERR_INVALID
 * for sizes that cannot be. */
MUST_CHECK int object_tables(const struct ost_plugin *theirs, struct ost_plugin *ret,
                             struct err *err);

/* The contract as plugin_to_json() writes it. New reference; ERR_INVALID names what is wrong. */
MUST_CHECK int object_contract(const struct ost_plugin *theirs, json_t **ret, struct err *err);
