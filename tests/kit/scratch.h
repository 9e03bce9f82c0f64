/* scratch - an empty folder for each test: .init = scratch_enter, .fini = scratch_leave. */
#pragma once

extern int scratch_dir;         /* descriptor of the folder; it is also the working directory */
extern char scratch_path[4096]; /* its absolute path */

void scratch_enter(void);
void scratch_leave(void);

/* Fails the test unless file NAME holds exactly TEXT. */
void scratch_has(const char *name, const char *text);
/* Creates file NAME (folders on the way included) with TEXT. */
void scratch_file(const char *name, const char *text);
/* How many names the folder holds. */
int scratch_count(void);
