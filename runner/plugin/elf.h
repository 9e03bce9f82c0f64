/* elf - a shared object as a file, read with nothing believed: every offset is held against the file's size. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <link.h>

enum {
    ELF_NEEDED_MAX = 64,       /* libraries that an object may need */
    ELF_SYMBOLS_MAX = 1 << 20, /* dynamic symbols that are looked at */
};

struct elf { /* borrows the file's bytes */
    struct slice file;
    ElfW(Ehdr) head;
    ElfW(Phdr) dynamic;
    uint64_t strings; /* file offset of the dynamic string table */
};

/* FILE as a shared object for this machine. NAME is for messages. ERR_INVALID: it is none, or damaged. */
MUST_CHECK int elf_open(struct slice file, const char *name, struct elf *ret, struct err *err);

/* The libraries that it needs, in their order, borrowed from the file; *RET_N of them. */
MUST_CHECK int elf_needed(const struct elf *e, const char *name, const char *ret[ELF_NEEDED_MAX],
                          size_t *ret_n, struct err *err);

/* The first segment of TYPE (PT_...); false: it has none. */
bool elf_segment(const struct elf *e, uint32_t type, ElfW(Phdr) * ret);

/* The value of the first dynamic entry TAG (DT_...); false: it has none. */
bool elf_tag(const struct elf *e, int64_t tag, uint64_t *ret);

struct elf_symbol {
    const char *name; /* borrowed from the file */
    bool defined;     /* here, and visible to others; else it is wanted from elsewhere */
    bool weak;
};

/* Calls FN for each dynamic symbol that the object offers to others or wants of them. ERR_INVALID: the table is
 * damaged, or its sections were stripped. */
typedef void elf_symbol_fn(void *ctx, const struct elf_symbol *symbol);
MUST_CHECK int elf_symbols(const struct elf *e, const char *name, elf_symbol_fn *fn, void *ctx,
                           struct err *err);
