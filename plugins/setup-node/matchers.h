/* matchers - what later steps print, turned into annotations: errors of TypeScript, and those of ESLint in
 * its default and in its compact format. */
#pragma once

/* The problem matchers that the action registers, as one configuration file. */
extern const char matchers_json[];
