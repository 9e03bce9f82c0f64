/* auth - how git proves to the server who asks, and how that is taken back.
 *
 * The token is an HTTP header in a configuration file: up to version 5 in .git/config itself, from 6 on in a file
 * of the runner's temporary folder that .git/config includes for this repository. It is written with a stand-in
 * first and put in afterwards, so that it is in no command line. */
#pragma once

#include "git.h"
#include "settings.h"

struct auth {
    const struct settings *s;
    struct git *git;         /* its HOME and GIT_SSH_COMMAND are set here */
    const char *key;         /* "http.https://github.com/.extraheader" */
    const char *header;      /* its value; NULL: there is no token */
    const char *credentials; /* the file; NULL: there is none yet */
    bool fresh; /* the repository was made just now: nothing is to be taken back before */
};

/* Masks what is secret. */
ost_status auth_init(struct auth *a, const struct settings *s, struct git *git);

/* A HOME of git's own from here on, with a copy of the user's configuration: what is set "for all repositories" is
 * not seen by later steps. */
ost_status auth_temporary_home(struct auth *a);

ost_status auth_configure(struct auth *a); /* the repository */
ost_status
auth_configure_all(struct auth *a); /* all, by the temporary HOME: for submodules to be fetched */
ost_status auth_configure_submodules(struct auth *a); /* those that are there */

/* Takes back all of it, as far as that goes: what does not is a warning. GIT's folder may be anything; FILES are
 * those that were made, SERVER the one that the header is for. */
void auth_remove(const struct git *git, const char *server, const struct strings *files);

/* The names under which the files made are saved for the post phase, NULL-terminated. */
extern const char *const auth_saved[];

/* Those of this phase, from what was saved in it. */
void auth_files(struct ost_step *step, struct strings *to);
