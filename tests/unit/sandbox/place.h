/* place - an open sandbox for tests: commands run to their end, output as text. */
#pragma once

#include "base/buf.h"
#include "io/loop.h"
#include "sandbox/sandbox.h"

extern struct loop *place_loop;
extern struct sandbox *place;
extern struct sandbox_spec place_spec; /* filled by place_enter(); change before place_open() */
extern char place_notes[8192];         /* what was noted, a line each */
extern char place_home[4200];          /* a folder that is the user's HOME on the host */

/* The same test as root and as an ordinary user; the first is skipped by name where we are not root. */
#define BOTH(name)                                                                                 \
    static void name(void);                                                                        \
    Test(root, name)                                                                               \
    {                                                                                              \
        place_enter(false);                                                                        \
        name();                                                                                    \
        place_leave();                                                                             \
    }                                                                                              \
    Test(user, name)                                                                               \
    {                                                                                              \
        place_enter(true);                                                                         \
        name();                                                                                    \
        place_leave();                                                                             \
    }                                                                                              \
    static void name(void)

/* A scratch folder with job/ and a HOME; as an ordinary user when USER. */
void place_enter(bool user);
void place_leave(void);

/* Opens at LEVEL, which must be had. */
void place_open(enum sandbox_level level);
void place_close(void);

/* Runs SCRIPT by sh in the work folder to its end. Its exit code; its output (both) in place_out. */
int place_sh(const char *script);
extern struct buf place_out;

/* Starts it only; *ENDED becomes true and *HOW its end from the loop. */
struct place_run {
    struct sandbox_child *child;
    struct sandbox_exit how;
    bool ended;
};
void place_start(const char *script, struct place_run *run);
void place_wait(struct place_run *run);

/* Processes of the host that carry our mark in their environment, zombies apart. */
size_t place_count_marked(void);
void place_await_marked(size_t n); /* until there are N */
extern const char *const *place_env;
void place_set_env(size_t at, const char *var); /* 0: PATH, 1: HOME, 3 and more: free; borrowed */

/* The note function: adds to place_notes. */
void place_on_note(void *ctx, const char *text);

/* An exit function for a struct place_run. */
void place_on_exit(void *ctx, struct sandbox_exit how);

/* Kills the ostler-init of this test; how many there were. */
int place_kill_init(void);

/* Control groups that this process made and that are still there. */
int place_count_groups(void);

/* How many names the folder PATH holds. */
int place_count(const char *path);

/* Waits until PATH (of the host) exists. */
void place_await(const char *path);
