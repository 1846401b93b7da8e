/*
 * Preloaded into a process: makes the n-th call on files of one folder fail, stop half-way, wait or read a wrong bit, as a disk
 * does that is broken, full or slow. Whoever holds the control file says what, while the process runs.
 *
 * DISK_FAULTS_DIR: the folder. DISK_FAULTS_CONTROL: the control file, `struct control` in the machine's order, which disk-faults.ts knows too.
 *
 * A sync that fails takes with it what was written since the one before: that is what a kernel may do with pages it could
 * not write, and who trusts them afterwards is found out.
 */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { OPEN = 1, READ = 2, WRITE = 4, SYNC = 8, RENAME = 16, UNLINK = 32, TRUNCATE = 64, MKDIR = 128 };
enum action { COUNT, FAIL, SHORT, HANG, FLIP };

struct control {
	uint32_t is_armed;
	uint32_t calls;	 /* enum call, or-ed */
	uint32_t nth;	 /* from 1, since it was armed */
	uint32_t times;	 /* so many in a row */
	uint32_t action; /* enum action */
	int32_t error;	 /* of FAIL */
	uint32_t hang_ms;
	uint32_t seen;	/* matching calls since it was armed */
	uint32_t fired; /* of them, so many failed */
	uint32_t unused;
	char part[88];	  /* only files whose name ends so; empty: all */
	char first[256]; /* what failed first: "pwrite64 store.db-wal" */
	uint32_t seen_of[8]; /* of each enum call, in their order */
};

static struct control *control;
static const char *dir;
static size_t dir_length;

__attribute__((constructor)) static void begin(void) {
	const char *path = getenv("DISK_FAULTS_CONTROL");
	dir = getenv("DISK_FAULTS_DIR");
	if (path == NULL || dir == NULL) return;
	dir_length = strlen(dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) abort();
	void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED) abort();
	close(fd);
	control = mapped;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))real(name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_inside(const char *path) {
	return strncmp(path, dir, dir_length) == 0 && (path[dir_length] == '/' || path[dir_length] == 0);
}

/* The path of a descriptor, if it is inside the folder. */
static int path_of(int fd, char *path) {
	char link[64];
	if (control == NULL) return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length <= 0) return 0;
	path[length] = 0;
	return is_inside(path);
}

/* What becomes of this call: COUNT stands for nothing at all. */
static enum action fate(enum call call, const char *symbol, const char *path, int can_be_short) {
	if (!__atomic_load_n(&control->is_armed, __ATOMIC_ACQUIRE) || (control->calls & call) == 0) return COUNT;
	size_t part = strlen(control->part), whole = strlen(path);
	if (part > whole || strcmp(path + whole - part, control->part) != 0) return COUNT;
	if ((control->action == SHORT || control->action == FLIP) && !can_be_short) return COUNT;
	uint32_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_ACQ_REL);
	__atomic_add_fetch(&control->seen_of[__builtin_ctz(call)], 1, __ATOMIC_ACQ_REL);
	if (control->action == COUNT || number < control->nth || number - control->nth >= control->times) return COUNT;
	if (__atomic_fetch_add(&control->fired, 1, __ATOMIC_ACQ_REL) == 0)
		snprintf(control->first, sizeof control->first, "%s %s", symbol, path + dir_length + (path[dir_length] == '/'));
	if (control->action == HANG) {
		struct timespec left = {control->hang_ms / 1000, (long)(control->hang_ms % 1000) * 1000000};
		while (nanosleep(&left, &left) != 0 && errno == EINTR) {
		}
		return COUNT;
	}
	if (control->action == FAIL) errno = control->error;
	return control->action;
}

/* What a file was before the writes since its last sync, the newest first. */
struct before {
	struct before *next;
	dev_t device;
	ino_t inode;
	off_t size; /* of the file */
	off_t offset;
	size_t length; /* of what was there */
	char old[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct before *unsynced;

static void remember(int fd, off_t offset, size_t length) {
	struct stat found;
	if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return;
	struct before *one = malloc(sizeof *one + length);
	if (one == NULL) abort();
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int reader = REAL(int, "open64", const char *, int, ...)(link, O_RDONLY | O_CLOEXEC);
	ssize_t got = reader < 0 ? -1 : REAL(ssize_t, "pread64", int, void *, size_t, off_t)(reader, one->old, length, offset);
	if (reader >= 0) close(reader);
	one->device = found.st_dev;
	one->inode = found.st_ino;
	one->size = found.st_size;
	one->offset = offset;
	one->length = got < 0 ? 0 : (size_t)got;
	pthread_mutex_lock(&lock);
	one->next = unsynced;
	unsynced = one;
	pthread_mutex_unlock(&lock);
}

/* All that was remembered of a file goes; `is_lost`: and with it what was written. */
static void forget(int fd, int is_lost) {
	struct stat found;
	if (fstat(fd, &found) != 0) return;
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int writer = is_lost && S_ISREG(found.st_mode) ? REAL(int, "open64", const char *, int, ...)(link, O_WRONLY | O_CLOEXEC) : -1;
	pthread_mutex_lock(&lock);
	for (struct before **at = &unsynced; *at != NULL;) {
		struct before *one = *at;
		if (one->device != found.st_dev || one->inode != found.st_ino) {
			at = &one->next;
			continue;
		}
		if (writer >= 0) {
			REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)(writer, one->old, one->length, one->offset);
			if (REAL(int, "ftruncate64", int, off_t)(writer, one->size) != 0) abort();
		}
		*at = one->next;
		free(one);
	}
	pthread_mutex_unlock(&lock);
	if (writer >= 0) close(writer);
}

static void flip(void *data, ssize_t length) {
	if (length > 0) ((unsigned char *)data)[length / 2] ^= 16;
}

/* What a call may move: all, or half of it. */
static size_t length_of(enum action action, size_t length) { return action == SHORT && length > 1 ? length / 2 : length; }

#define READER(name, parameters, forwarded, ...)                                                         \
	ssize_t name(int fd, void *data, size_t length parameters) {                                       \
		char path[PATH_MAX];                                                                         \
		ssize_t (*next)(int, void *, size_t __VA_ARGS__) = real(#name);                              \
		if (!path_of(fd, path)) return next(fd, data, length forwarded);                             \
		enum action action = fate(READ, #name, path, length > 1);                                    \
		if (action == FAIL) return -1;                                                               \
		ssize_t got = next(fd, data, length_of(action, length) forwarded);                           \
		if (action == FLIP) flip(data, got);                                                         \
		return got;                                                                                  \
	}
#define COMMA ,
READER(read, , )
READER(pread, COMMA off_t offset, COMMA offset, COMMA off_t)
READER(pread64, COMMA off_t offset, COMMA offset, COMMA off_t)

static off_t end_of(int fd) {
	int flags = fcntl(fd, F_GETFL);
	return lseek(fd, 0, flags >= 0 && (flags & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
}

#define WRITER(name, parameters, forwarded, place, ...)                                                  \
	ssize_t name(int fd, const void *data, size_t length parameters) {                                 \
		char path[PATH_MAX];                                                                         \
		ssize_t (*next)(int, const void *, size_t __VA_ARGS__) = real(#name);                        \
		if (!path_of(fd, path)) return next(fd, data, length forwarded);                             \
		enum action action = fate(WRITE, #name, path, length > 1);                                   \
		if (action == FAIL) return -1;                                                               \
		remember(fd, place, length);                                                                 \
		return next(fd, data, length_of(action, length) forwarded);                                  \
	}
WRITER(write, , , end_of(fd))
WRITER(pwrite, COMMA off_t offset, COMMA offset, offset, COMMA off_t)
WRITER(pwrite64, COMMA off_t offset, COMMA offset, offset, COMMA off_t)

static size_t sum_of(const struct iovec *parts, int count) {
	size_t sum = 0;
	for (int i = 0; i < count; i++) sum += parts[i].iov_len;
	return sum;
}

/* A short one writes its first part alone. */
#define GATHERER(name, parameters, forwarded, place, ...)                                                \
	ssize_t name(int fd, const struct iovec *parts, int count parameters) {                            \
		char path[PATH_MAX];                                                                         \
		ssize_t (*next)(int, const struct iovec *, int __VA_ARGS__) = real(#name);                   \
		if (!path_of(fd, path)) return next(fd, parts, count forwarded);                             \
		enum action action = fate(WRITE, #name, path, count > 1);                                    \
		if (action == FAIL) return -1;                                                               \
		remember(fd, place, sum_of(parts, count));                                                   \
		return next(fd, parts, action == SHORT ? 1 : count forwarded);                               \
	}
GATHERER(writev, , , end_of(fd))
GATHERER(pwritev, COMMA off_t offset, COMMA offset, offset, COMMA off_t)
GATHERER(pwritev64, COMMA off_t offset, COMMA offset, offset, COMMA off_t)

/* A copy inside the kernel: refused, so that it is made by reading and writing, which can fail one by one. */
ssize_t copy_file_range(int from, off_t *in, int to, off_t *out, size_t length, unsigned flags) {
	char path[PATH_MAX];
	if (path_of(to, path) || path_of(from, path)) {
		errno = EXDEV;
		return -1;
	}
	return REAL(ssize_t, "copy_file_range", int, off_t *, int, off_t *, size_t, unsigned)(from, in, to, out, length, flags);
}

static ssize_t sent(const char *symbol, int to, int from, off_t *offset, size_t length) {
	char path[PATH_MAX];
	ssize_t (*next)(int, int, off_t *, size_t) = real(symbol);
	if (path_of(to, path)) {
		enum action action = fate(WRITE, symbol, path, length > 1);
		if (action == FAIL) return -1;
		return next(to, from, offset, length_of(action, length));
	}
	return next(to, from, offset, length);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t length) { return sent("sendfile", to, from, offset, length); }
ssize_t sendfile64(int to, int from, off_t *offset, size_t length) { return sent("sendfile64", to, from, offset, length); }

static int synced(const char *symbol, int fd) {
	char path[PATH_MAX];
	int (*next)(int) = real(symbol);
	if (!path_of(fd, path)) return next(fd);
	if (fate(SYNC, symbol, path, 0) == FAIL) {
		int error = errno;
		forget(fd, 1);
		errno = error;
		return -1;
	}
	int result = next(fd);
	if (result == 0) forget(fd, 0);
	return result;
}
int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static int truncated(const char *symbol, int fd, off_t size) {
	char path[PATH_MAX];
	int (*next)(int, off_t) = real(symbol);
	struct stat found;
	if (!path_of(fd, path)) return next(fd, size);
	if (fate(TRUNCATE, symbol, path, 0) == FAIL) return -1;
	if (fstat(fd, &found) == 0) remember(fd, size, found.st_size > size ? (size_t)(found.st_size - size) : 0);
	return next(fd, size);
}
int ftruncate(int fd, off_t size) { return truncated("ftruncate", fd, size); }
int ftruncate64(int fd, off_t size) { return truncated("ftruncate64", fd, size); }

/* Of `path` below the folder that `at` is, whole; NULL: outside of ours. */
static const char *whole(int at, const char *path, char *buffer) {
	if (control == NULL || path == NULL) return NULL;
	if (path[0] == '/') return is_inside(path) ? path : NULL;
	if (at == AT_FDCWD) {
		if (getcwd(buffer, PATH_MAX) == NULL || !is_inside(buffer)) return NULL;
	} else if (!path_of(at, buffer))
		return NULL;
	size_t length = strlen(buffer);
	snprintf(buffer + length, PATH_MAX - length, "/%s", path);
	return buffer;
}

static int opened(const char *symbol, int at, const char *path, int flags, mode_t mode) {
	char buffer[PATH_MAX];
	const char *found = whole(at, path, buffer);
	if (found != NULL && fate(OPEN, symbol, found, 0) == FAIL) return -1;
	return REAL(int, "openat64", int, const char *, int, ...)(at, path, flags, mode);
}

#define OPENER(name, first, at)                                                                          \
	int name(first const char *path, int flags, ...) {                                                 \
		mode_t mode = 0;                                                                             \
		if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
			va_list rest;                                                                        \
			va_start(rest, flags);                                                               \
			mode = va_arg(rest, mode_t);                                                         \
			va_end(rest);                                                                        \
		}                                                                                            \
		return opened(#name, at, path, flags, mode);                                                 \
	}
OPENER(open, , AT_FDCWD)
OPENER(open64, , AT_FDCWD)
OPENER(openat, int at COMMA, at)
OPENER(openat64, int at COMMA, at)

int rename(const char *from, const char *to) {
	char buffer[PATH_MAX];
	const char *found = whole(AT_FDCWD, to, buffer);
	if (found != NULL && fate(RENAME, "rename", found, 0) == FAIL) return -1;
	return REAL(int, "rename", const char *, const char *)(from, to);
}

static int unlinked(const char *symbol, int at, const char *path, int flags) {
	char buffer[PATH_MAX];
	const char *found = whole(at, path, buffer);
	if (found != NULL && fate(UNLINK, symbol, found, 0) == FAIL) return -1;
	return REAL(int, "unlinkat", int, const char *, int)(at, path, flags);
}
int unlink(const char *path) { return unlinked("unlink", AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinked("rmdir", AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int at, const char *path, int flags) { return unlinked("unlinkat", at, path, flags); }

int mkdir(const char *path, mode_t mode) {
	char buffer[PATH_MAX];
	const char *found = whole(AT_FDCWD, path, buffer);
	if (found != NULL && fate(MKDIR, "mkdir", found, 0) == FAIL) return -1;
	return REAL(int, "mkdir", const char *, mode_t)(path, mode);
}
