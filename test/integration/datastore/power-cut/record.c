/*
 * Preloaded into a process: writes down, in order, what it does to the files of one folder, with the bytes, so that a test can
 * make of it what a power cut would have left.
 *
 * POWER_CUT_DIR: the folder. POWER_CUT_LOG: where the record goes.
 * One entry: kind (1 byte: 'w'rite, 't'runcate, 's'ync, 'u'nlink), length of the name (1), the name, then 8 bytes each, in the machine's
 * order: nanoseconds on the monotonic clock, offset or new size, length of the data; then the data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

/* The name inside the folder, or NULL for a file elsewhere. */
static const char *name_of(int fd, char *path) {
	char link[64];
	const char *dir = getenv("POWER_CUT_DIR");
	if (dir == NULL) return NULL;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length <= 0) return NULL;
	path[length] = 0;
	size_t prefix = strlen(dir);
	if (strncmp(path, dir, prefix) != 0 || path[prefix] != '/') return NULL;
	return path + prefix + 1;
}

static void put(const void *data, size_t length) {
	static ssize_t (*real)(int, const void *, size_t);
	if (real == NULL) real = dlsym(RTLD_NEXT, "write");
	while (length > 0) {
		ssize_t written = real(log_fd, data, length);
		if (written <= 0) abort();
		data = (const char *)data + written;
		length -= (size_t)written;
	}
}

/* The lock is held from before the deed to after its entry: the record's order is the order of deeds. */
static void record(char kind, const char *name, uint64_t offset, const void *data, uint64_t length) {
	struct timespec now;
	if (log_fd < 0) log_fd = open(getenv("POWER_CUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t numbers[3] = {(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, offset, length};
	unsigned char head[2] = {(unsigned char)kind, (unsigned char)strlen(name)};
	put(head, sizeof head);
	put(name, head[1]);
	put(numbers, sizeof numbers);
	put(data, length);
}

static ssize_t recorded_pwrite(const char *symbol, int fd, const void *data, size_t length, off_t offset) {
	ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, symbol);
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	if (name == NULL) return real(fd, data, length, offset);
	pthread_mutex_lock(&lock);
	ssize_t result = real(fd, data, length, offset);
	if (result > 0) record('w', name, (uint64_t)offset, data, (uint64_t)result);
	pthread_mutex_unlock(&lock);
	return result;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
	return recorded_pwrite("pwrite", fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
	return recorded_pwrite("pwrite64", fd, data, length, offset);
}

static int recorded_truncate(const char *symbol, int fd, off_t size) {
	int (*real)(int, off_t) = dlsym(RTLD_NEXT, symbol);
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	if (name == NULL) return real(fd, size);
	pthread_mutex_lock(&lock);
	int result = real(fd, size);
	if (result == 0) record('t', name, (uint64_t)size, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

int ftruncate(int fd, off_t size) { return recorded_truncate("ftruncate", fd, size); }

int ftruncate64(int fd, off_t size) { return recorded_truncate("ftruncate64", fd, size); }

static int recorded_sync(const char *symbol, int fd) {
	int (*real)(int) = dlsym(RTLD_NEXT, symbol);
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	if (name == NULL) return real(fd);
	pthread_mutex_lock(&lock);
	int result = real(fd);
	if (result == 0) record('s', name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

int unlink(const char *path) {
	int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
	const char *dir = getenv("POWER_CUT_DIR");
	size_t prefix = dir == NULL ? 0 : strlen(dir);
	if (dir == NULL || strncmp(path, dir, prefix) != 0 || path[prefix] != '/') return real(path);
	pthread_mutex_lock(&lock);
	int result = real(path);
	if (result == 0) record('u', path + prefix + 1, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

int fsync(int fd) { return recorded_sync("fsync", fd); }

int fdatasync(int fd) { return recorded_sync("fdatasync", fd); }
