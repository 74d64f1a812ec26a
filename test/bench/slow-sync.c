/* Preloaded into a server, this makes a fast disk slow and counts: every fsync and fdatasync first waits
 * SLOW_SYNC_US microseconds (none when unset), and adds one to the 8 bytes of the file SLOW_SYNC_COUNT.
 * Failure behaviour: a count file that cannot be mapped is ignored; the syncs themselves are never skipped. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real_fsync)(int), (*real_fdatasync)(int);
static long delay_us;
static _Atomic unsigned long *count;

__attribute__((constructor)) static void prepare(void) {
  real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char *delay = getenv("SLOW_SYNC_US"), *path = getenv("SLOW_SYNC_COUNT");
  if (delay) delay_us = atol(delay);
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) count = page;
}

static void slow(void) {
  if (count) atomic_fetch_add(count, 1);
  if (delay_us <= 0) return;
  struct timespec wait = {delay_us / 1000000, delay_us % 1000000 * 1000};
  nanosleep(&wait, NULL);
}

int fsync(int fd) {
  slow();
  return real_fsync(fd);
}

int fdatasync(int fd) {
  slow();
  return real_fdatasync(fd);
}
