#include "job/container/elf.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 100 };

static bool read_at(int fd, void *to, size_t size, uint64_t at)
{
    return at <= INT64_MAX && pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

int elf_interpreter(int fd, char ret[ELF_INTERPRETER_SIZE], struct err *err)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;

    ret[0] = '\0';
    if (!read_at(fd, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head.e_phentsize != sizeof segment)
        return err_set(err, ERR_INVALID, "it is no program for this machine");
    for (size_t i = 0; i < head.e_phnum && i < SEGMENTS_MAX; i++) {
        if (!read_at(fd, &segment, sizeof segment, head.e_phoff + i * sizeof segment))
            return err_set(err, ERR_INVALID, "it is cut off");
        if (segment.p_type != PT_INTERP)
            continue;
        if (segment.p_filesz == 0 || segment.p_filesz > ELF_INTERPRETER_SIZE ||
            !read_at(fd, ret, segment.p_filesz, segment.p_offset) ||
            ret[segment.p_filesz - 1] != '\0') {
            ret[0] = '\0';
            return err_set(err, ERR_INVALID, "its interpreter has no name");
        }
        return ERR_OK;
    }
    return ERR_OK;
}
