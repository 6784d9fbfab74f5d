/* Loaded before the C library into a process under test: writes down what it does to the files under one directory,
 * and makes chosen calls fail. It changes nothing else.
 *
 *   FAULTS_ROOT    the directory; what lies elsewhere is passed on
 *   FAULTS_TRACE   where to write the record, outside of the directory
 *   FAULTS_FAIL    call:part of the path:calls to let through:errno:failures (0 for all that follow), ...
 *   FAULTS_CLOCK   set: each look at the wall clock shows a later past
 *
 * Calls that are recorded are made one at a time, so that the record is the order in which they took effect. Each is a
 * head (struct record) and behind it the path, a second path, and the bytes. trace.rs reads them.
 *
 * What goes to the kernel without the C library is not seen; a rename that is made so shows by its inode when
 * the file is opened under its new name. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct record {
    uint8_t kind, flags;
    uint16_t path_length, second_length, unused;
    uint64_t inode, at, length;
};

enum { CREATED = 1, EMPTIED = 2, DIRECTORY = 4 };

struct fault {
    char call[16], part[128];
    long let_through, number, failures;
};

static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static struct fault faults[8];
static int fault_count;
static int clock_is_wrong;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *dir = getenv("FAULTS_ROOT"), *path = getenv("FAULTS_TRACE"), *fail = getenv("FAULTS_FAIL");
    clock_is_wrong = getenv("FAULTS_CLOCK") != NULL;
    if (!dir || strlen(dir) >= sizeof root) return;
    if (path) trace = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (fail && *fail && fault_count < 8) {
        struct fault *it = &faults[fault_count];
        if (sscanf(fail, "%15[^:]:%127[^:]:%ld:%ld:%ld", it->call, it->part, &it->let_through, &it->number, &it->failures) == 5)
            fault_count++;
        fail = strchr(fail, ',');
        if (fail) fail++;
    }
    strcpy(root, dir);
    root_length = strlen(dir);
}

static const char *inside(const char *path) {
    int is_inside = root_length && path && !strncmp(path, root, root_length) && path[root_length] == '/';
    return is_inside ? path + root_length + 1 : NULL;
}

/* The path of an open file, without the root; none for one that lies elsewhere. */
static const char *path_of(int fd, char *room) {
    char link[32];
    if (!root_length || fd == trace) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length < 0) return NULL;
    room[length] = 0;
    return inside(room);
}

static int fails(const char *call, const char *path) {
    for (int i = 0; i < fault_count; i++) {
        struct fault *it = &faults[i];
        if (strcmp(it->call, call) || !strstr(path, it->part)) continue;
        if (it->let_through-- > 0 || it->failures < 0) continue;
        if (it->failures > 0 && --it->failures == 0) it->failures = -1;
        errno = (int)it->number;
        return 1;
    }
    return 0;
}

static void put(const void *bytes, size_t length) {
    while (length) {
        ssize_t done = REAL(write)(trace, bytes, length);
        if (done <= 0) _exit(99);
        bytes = (const char *)bytes + done;
        length -= (size_t)done;
    }
}

static void record(char kind, int flags, const char *path, const char *second, uint64_t inode, uint64_t at,
                   const struct iovec *parts, int count, size_t length) {
    if (trace < 0) return;
    int saved = errno;
    struct record it = { .kind = (uint8_t)kind, .flags = (uint8_t)flags, .path_length = (uint16_t)strlen(path),
        .second_length = (uint16_t)(second ? strlen(second) : 0), .inode = inode, .at = at, .length = count ? length : 0 };
    put(&it, sizeof it);
    put(path, it.path_length);
    if (second) put(second, it.second_length);
    for (int i = 0; i < count && length; i++) {
        size_t part = parts[i].iov_len < length ? parts[i].iov_len : length;
        put(parts[i].iov_base, part);
        length -= part;
    }
    errno = saved;
}

static int open_file(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    const char *name = inside(path);
    if (!name) return real(path, flags, mode);
    pthread_mutex_lock(&order);
    struct stat before, after;
    int was_there = stat(path, &before) == 0;
    int fd = fails("open", name) ? -1 : real(path, flags, mode);
    if (fd >= 0 && fstat(fd, &after) == 0 && S_ISREG(after.st_mode))
        record('O', (was_there ? 0 : CREATED) | (flags & O_TRUNC ? EMPTIED : 0), name, NULL, after.st_ino, 0, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return fd;
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags, mode) return open_file(path, flags, mode, REAL(open)); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return open_file(path, flags, mode, REAL(open64)); }

/* One write, wherever its bytes come from; `at` is negative for where the file stands. */
static ssize_t write_file(int fd, const struct iovec *parts, int count, off_t at) {
    char room[PATH_MAX] = "";
    const char *name = path_of(fd, room);
    if (!name) return at < 0 ? REAL(writev)(fd, parts, count) : REAL(pwrite64)(fd, parts->iov_base, parts->iov_len, at);
    pthread_mutex_lock(&order);
    struct stat file;
    fstat(fd, &file);
    off_t place = at >= 0 ? at : fcntl(fd, F_GETFL) & O_APPEND ? file.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    if (!fails("write", name))
        done = at < 0 ? REAL(writev)(fd, parts, count) : REAL(pwrite64)(fd, parts->iov_base, parts->iov_len, at);
    if (done > 0) record('W', 0, name, NULL, file.st_ino, (uint64_t)place, parts, count, (size_t)done);
    pthread_mutex_unlock(&order);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!root_length) return REAL(write)(fd, bytes, length);
    struct iovec part = { (void *)bytes, length };
    return write_file(fd, &part, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_file(fd, parts, count, -1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    struct iovec part = { (void *)bytes, length };
    return write_file(fd, &part, 1, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

static int sync_file(int fd, const char *call, int (*real)(int)) {
    char room[PATH_MAX] = "";
    const char *name = path_of(fd, room);
    if (!name && !(root_length && !strcmp(room, root))) return real(fd);
    if (!name) name = "";
    pthread_mutex_lock(&order);
    struct stat file;
    fstat(fd, &file);
    int done = fails(call, name) ? -1 : real(fd);
    if (done == 0) record('S', S_ISDIR(file.st_mode) ? DIRECTORY : 0, name, NULL, file.st_ino, 0, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}
int fsync(int fd) { return sync_file(fd, "fsync", REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, "fdatasync", REAL(fdatasync)); }

int ftruncate64(int fd, off64_t length) {
    char room[PATH_MAX] = "";
    const char *name = path_of(fd, room);
    if (!name) return REAL(ftruncate64)(fd, length);
    pthread_mutex_lock(&order);
    struct stat file;
    fstat(fd, &file);
    int done = fails("ftruncate", name) ? -1 : REAL(ftruncate64)(fd, length);
    if (done == 0) record('T', 0, name, NULL, file.st_ino, (uint64_t)length, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int rename(const char *from, const char *to) {
    const char *name = inside(from), *second = inside(to);
    if (!name || !second) return REAL(rename)(from, to);
    pthread_mutex_lock(&order);
    int done = fails("rename", name) ? -1 : REAL(rename)(from, to);
    if (done == 0) record('R', 0, name, second, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&order);
    int done = fails("unlink", name) ? -1 : REAL(unlink)(path);
    if (done == 0) record('U', 0, name, NULL, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    const char *name = inside(path);
    if (!name) return REAL(mkdir)(path, mode);
    pthread_mutex_lock(&order);
    int done = fails("mkdir", name) ? -1 : REAL(mkdir)(path, mode);
    if (done == 0) record('M', 0, name, NULL, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&order);
    return done;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    static long looks;
    int done = REAL(clock_gettime)(which, time);
    if (done == 0 && clock_is_wrong && which == CLOCK_REALTIME)
        time->tv_sec -= 3600 * __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) % (20L * 365 * 86400);
    return done;
}
