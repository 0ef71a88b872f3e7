/* Preloaded, it makes all below $NO_LOCKS_BELOW a file system without locks, such as some NFS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_below(int file) {
    char link[64], path[PATH_MAX];
    const char *folder = getenv("NO_LOCKS_BELOW");
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

int flock(int file, int operation) {
    if (is_below(file)) {
        errno = ENOSYS;
        return -1;
    }
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(file, operation);
}

static int control(const char *name, int file, int command, void *argument) {
    int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
                command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
    if (locks && is_below(file)) {
        errno = ENOLCK;
        return -1;
    }
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, name))(file, command, argument);
}

#define CONTROL(name)                                  \
    int name(int file, int command, ...) {             \
        va_list arguments;                             \
        va_start(arguments, command);                  \
        void *argument = va_arg(arguments, void *);    \
        va_end(arguments);                             \
        return control(#name, file, command, argument); \
    }

CONTROL(fcntl)
CONTROL(fcntl64)
