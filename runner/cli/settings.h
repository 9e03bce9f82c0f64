/* settings - what the environment of the command line says: folders, search paths, what jobs inherit.
 *
 * The one room where environment variables are read. All results live until the process ends. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "cli/config.h"
#include "listen/logline.h"
#include "listen/notify.h"
#include "report/report.h"

/* HOME; the password database's where it is not set; "/" at the last. */
const char *settings_home(void);

/* Where this machine and then this user say what is the same for every run; the later one wins: /etc/ostler, then
 * $XDG_CONFIG_HOME/ostler, else ~/.config/ostler. NULL-terminated; none has to be there. */
const char *const *settings_config_folders(struct arena *a);

/* config.yml in each of them. */
const char *const *settings_config_files(struct arena *a);

/* Where runs are kept: $XDG_STATE_HOME/ostler, else ~/.local/state/ostler. When neither can be written,
 * a folder of this user in the temporary folder, with the reason in *RET_NOTE (NULL: none). */
MUST_CHECK int settings_state(struct arena *a, const char **ret, const char **ret_note,
                              struct err *err);

/* Where "register" puts registrations unless it is told, each in a folder of its own, and where "listen" finds them:
 * "registrations" in the state folder. ERR_DENIED: there is none that stays. */
MUST_CHECK int settings_registrations(struct arena *a, const char **ret, struct err *err);

/* Folders for sockets of what runs: $RUNTIME_DIRECTORY (of a service), $XDG_RUNTIME_DIR/ostler, the state folder's "run"; at
 * the end /run/ostler, that of the service that ships. NULL-terminated; none has to be there. */
const char *const *settings_runtime_folders(struct arena *a);

/* Where a listener of this process is asked by others: "listen-PID.sock" in the first of these folders, but for
 * the last, that can be made and written. ERR_DENIED, ...: there is none, and why. */
MUST_CHECK int settings_listen_socket(struct arena *a, const char **ret, struct err *err);

/* What a listener writes its lines for: the journal, where stderr is it ($JOURNAL_STREAM), else people. */
enum logline_format settings_log_format(void);

/* Fills in SOCKET and WATCHDOG_MS as the service manager asks for them ($NOTIFY_SOCKET, $WATCHDOG_USEC, $WATCHDOG_PID);
 * false: there is none that wants to know. ERR_INVALID: it says something that nobody can do. */
MUST_CHECK int settings_notify(struct notify_spec *ret, bool *ret_wanted, struct err *err);

/* Where all lies that may be thrown away: $XDG_CACHE_HOME/ostler, else ~/.cache/ostler. */
const char *settings_cache_folder(struct arena *a);

/* Where caches that jobs save are kept: "caches" in it. */
const char *settings_caches(struct arena *a);

/* Where actions of other repositories are kept: "actions" in it. Nothing is made there before something is fetched. */
const char *settings_action_store(struct arena *a);

/* Where they are had unless the command line says so: $OSTLER_ACTION_SOURCE, else GitHub. */
const char *settings_action_source(void);

/* What git gets to reach servers as it does for this user: proxies, certificates, ssh. "NAME=value",
 * NULL-terminated. */
const char *const *settings_fetch_environ(struct arena *a);

/* Folders searched for plugins, first hit wins (plugin-sdk.md 6). NULL-terminated. First what may run for everybody:
 * plugins.path of CONFIG (NULL: none), what lies beside this program, and the system's; behind them this user's own: the data
 * folder and $OSTLER_PLUGIN_PATH. */
const char *const *settings_plugin_path(struct arena *a, const struct config *config);

/* The environment that jobs of a local run start from: a short list of names that tools need to work on
 * this machine (PATH, locale, proxies, certificates, tool homes), and none of the user's own secrets.
 * KEEP: more names, NULL-terminated; may be NULL. */
const char *const *settings_job_environ(struct arena *a, const char *const *keep);

/* What the terminal reports need to know. */
void settings_report_env(struct report_env *ret);

/* getenv() for the options that take a value from the environment; NULL: not set. */
const char *settings_env(const char *name);

/* Whether NAME is "1" or "true", in any case: how GitHub's runner reads its switches. */
bool settings_flag(const char *name);
bool settings_is_on(const char *value); /* the same of what it says; NULL is fine */

/* For tests: how long a minute takes, of those that a command waits for a server ($OSTLER_TEST_MINUTE_MS), in
 * milliseconds; 0: a minute. */
int64_t settings_minute_ms(void);

/* The folder of a tool cache that is there: $RUNNER_TOOL_CACHE, $AGENT_TOOLSDIRECTORY; NULL: none. */
const char *settings_tool_cache(void);
