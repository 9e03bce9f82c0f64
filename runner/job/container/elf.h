/* elf - what a program wants to be loaded by: that tells the C libraries apart. */
#pragma once

#include "base/err.h"

enum { ELF_INTERPRETER_SIZE = 256 };

/* The interpreter of the program FD ("/lib64/ld-linux-x86-64.so.2"); "" for one that has none. ERR_INVALID: it is no
 * program for this kind of machine. */
MUST_CHECK int elf_interpreter(int fd, char ret[ELF_INTERPRETER_SIZE], struct err *err);
