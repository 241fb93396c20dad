# SPDX-License-Identifier: Apache-2.0
"""A wrong clock for one process: a few lines of C in front of libc, which move the wall clock and nothing else.

The offset lies in a file that the process maps, so that a test can also let the clock jump while a program waits.
"""

import struct
import subprocess
from pathlib import Path

from support.programs import Place

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *offset;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CLOCK_OFFSET_FILE");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (page != MAP_FAILED) offset = page;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int failed = real(which, now);
    if (!failed && offset && which == CLOCK_REALTIME) now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec fine;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &fine)) return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (out) *out = fine.tv_sec;
    return fine.tv_sec;
}
"""


def build_clock(directory: Path) -> Path:
    """Compile it; the compiler is there, as the TPM library's binding needs it, too."""
    source, library = directory / "clock.c", directory / "clock.so"
    source.write_text(_SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library


class Clock:
    """The wall clock of one place.

    Args:
        library: From :func:`build_clock`.
        file: Where its offset lies.
        seconds: How wrong it is.
    """

    def __init__(self, library: Path, file: Path, seconds: int = 0) -> None:
        self._library, self._file = library, file
        self.set(seconds)

    def set(self, seconds: int) -> None:
        """Let it be wrong by so much from now on."""
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))

    def at(self, place: Place) -> Place:
        """The place under this clock."""
        return place.with_env(LD_PRELOAD=str(self._library), CLOCK_OFFSET_FILE=str(self._file))
