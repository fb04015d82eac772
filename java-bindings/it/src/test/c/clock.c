// SPDX-License-Identifier: Apache-2.0
// Loaded before a broker (LD_PRELOAD), it moves the wall clock by as many
// seconds as the eight bytes in the file say that STANDIN_IT_CLOCK names. The
// steady clocks stay. Everybody in a process reads clocks through the page of
// code that the kernel maps into it, some without asking the C library; so the
// functions in that page are what is replaced.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the jump below is written for x86-64"
#endif

static const volatile int64_t *seconds;

static long kernel(long number, long first, long second) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
  return result;
}

static int moved_clock(clockid_t clock, struct timespec *now) {
  long failed = kernel(SYS_clock_gettime, clock, (long)now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *seconds;
  return (int)failed;
}

static int moved_day(struct timeval *now, void *zone) {
  long failed = kernel(SYS_gettimeofday, (long)now, (long)zone);
  if (!failed && now) now->tv_sec += *seconds;
  return (int)failed;
}

static time_t moved_time(time_t *now) {
  struct timespec precise;
  moved_clock(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}

// Lets the code at an address go on at another: mov rax, to; jmp rax.
static void redirect(char *from, void (*to)(void)) {
  unsigned char jump[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
  memcpy(jump + 2, &to, sizeof to);
  memcpy(from, jump, sizeof jump);
}

static void replace(char *page) {
  const Elf64_Ehdr *head = (const void *)page;
  const Elf64_Phdr *part = (const void *)(page + head->e_phoff);
  const Elf64_Dyn *dynamic = NULL;
  size_t size = 0;
  for (int i = 0; i < head->e_phnum; i++) {
    if (part[i].p_type == PT_DYNAMIC)
      dynamic = (const void *)(page + part[i].p_offset);
    else if (part[i].p_type == PT_LOAD)
      size = part[i].p_offset + part[i].p_memsz;
  }
  const Elf64_Sym *symbol = NULL;
  const char *names = NULL;
  for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
    if (dynamic->d_tag == DT_SYMTAB)
      symbol = (const void *)(page + dynamic->d_un.d_ptr);
    else if (dynamic->d_tag == DT_STRTAB)
      names = page + dynamic->d_un.d_ptr;
  }
  long unit = sysconf(_SC_PAGESIZE);
  size = (size + (size_t)unit - 1) & ~((size_t)unit - 1);
  if (!symbol || !names || mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC)) abort();
  // The names stand behind the symbols.
  for (; (const char *)symbol < names; symbol++) {
    const char *name = names + symbol->st_name;
    if (strcmp(name, "__vdso_clock_gettime") == 0)
      redirect(page + symbol->st_value, (void (*)(void))moved_clock);
    else if (strcmp(name, "__vdso_gettimeofday") == 0)
      redirect(page + symbol->st_value, (void (*)(void))moved_day);
    else if (strcmp(name, "__vdso_time") == 0)
      redirect(page + symbol->st_value, (void (*)(void))moved_time);
  }
}

__attribute__((constructor)) static void load(void) {
  const char *path = getenv("STANDIN_IT_CLOCK");
  char *page = (char *)getauxval(AT_SYSINFO_EHDR);
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0 || !page) abort();
  void *mapped = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) abort();
  seconds = mapped;
  replace(page);
}
