/*
 * Loaded before the C library into the servers of tests whose disk is to fail. What fails is said by
 * files in the folder that CORKBOARD_TEST_DISK names; disk.rs makes and removes them.
 *
 * full       tables cannot grow: no space is left on the device. What they have can be overwritten,
 *            and the log has a device of its own, as it should.
 * bad-sync   the next time that the log is to be written through to the device, that fails, once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char full[PATH_MAX], bad_sync[PATH_MAX];

__attribute__((constructor)) static void learn(void)
{
    const char *folder = getenv("CORKBOARD_TEST_DISK");
    if (folder) {
        snprintf(full, sizeof full, "%s/full", folder);
        snprintf(bad_sync, sizeof bad_sync, "%s/bad-sync", folder);
    }
}

/* Whether a write up to this place needs space that there is not. Keeps errno. */
static int refused(int file, off_t end)
{
    int before = errno;
    char link[64], name[PATH_MAX];
    struct stat is;
    int is_refused = 0;
    if (access(full, F_OK) == 0 && fstat(file, &is) == 0 && is.st_size < end) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, name, sizeof name - 1);
        if (length > 0) {
            name[length] = 0;
            is_refused = strstr(name, "/base/") != NULL;
        }
    }
    errno = is_refused ? ENOSPC : before;
    return is_refused;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "pwrite");
    return refused(file, at + (off_t)count) ? -1 : next(file, bytes, count, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
    static ssize_t (*next)(int, const struct iovec *, int, off_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "pwritev");
    off_t end = at;
    for (int part = 0; part < count; part++)
        end += (off_t)parts[part].iov_len;
    return refused(file, end) ? -1 : next(file, parts, count, at);
}

int fdatasync(int file)
{
    static int (*next)(int);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "fdatasync");
    int before = errno;
    /* Only one process can remove the file. */
    if (*bad_sync && unlink(bad_sync) == 0) {
        errno = EIO;
        return -1;
    }
    errno = before;
    return next(file);
}
