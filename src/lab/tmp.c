#include "lab/tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define PREFIX "weir-lab-"
/* sun_path holds 108 bytes; below our folder go "/12/middleware.sock" and the end. */
#define PATH_BYTES_MAX 80

static const char *base_dir(void)
{
	const char *dir = getenv("TMPDIR");
	return dir && *dir == '/' ? dir : "/tmp";
}

/* Field 22 of /proc/PID/stat; 0: no such process. */
static unsigned long long start_time(long pid)
{
	char path[64], line[1024];
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	size_t got = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[got] = '\0';
	char *at = strrchr(line, ')'); /* the name before it may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static int remove_one(
	const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path) && errno != ENOENT;
}

static bool remove_tree(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0;
}

static int take_lock(const char *dir, int flags)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/lock", dir);
	int fd = open(t.ptr, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	text_fini(&t);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		errno = EWOULDBLOCK;
		return -1;
	}
	return fd;
}

bool lab_tmp_init(struct lab_tmp *t, struct problem *p)
{
	long pid = getpid();
	t->path = text_format("%s/" PREFIX "%ld-%llu", base_dir(), pid, start_time(pid));
	t->lock_fd = -1;
	if (strlen(t->path) > PATH_BYTES_MAX)
		problem_set(p,
			"%s is too long a place for Unix sockets: set TMPDIR to a "
			"shorter path",
			t->path);
	else if (mkdir(t->path, 0700) || (t->lock_fd = take_lock(t->path, O_CREAT)) < 0)
		problem_set(p,
			"cannot make %s: %s; set TMPDIR to a folder one may write in",
			t->path, strerror(errno));
	if (t->lock_fd >= 0)
		return true;
	mem_free(t->path);
	t->path = NULL;
	return false;
}

void lab_tmp_fini(struct lab_tmp *t)
{
	if (!t->path)
		return;
	if (!remove_tree(t->path))
		fprintf(stderr, "weir lab: cannot remove %s: %s\n", t->path,
			strerror(errno));
	close(t->lock_fd);
	mem_free(t->path);
	t->path = NULL;
}

/* Whether the folder's owner is gone. Takes its lock while asking. */
static bool is_dead(const char *dir, const char *name)
{
	char *end;
	struct stat st;
	long pid = strtol(name + strlen(PREFIX), &end, 10);
	unsigned long long start = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
	if (*end || pid <= 0 || start == 0)
		return false; /* none of ours */
	if (lstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return false;
	if (start_time(pid) == start)
		return false;
	int fd = take_lock(dir, 0);
	if (fd < 0)
		return errno == ENOENT; /* died before it had one */
	close(fd);
	return true;
}

uint32_t lab_tmp_sweep(void)
{
	uint32_t removed = 0;
	DIR *d = opendir(base_dir());
	struct dirent *e;
	while (d && (e = readdir(d))) {
		struct text path;
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		text_init(&path);
		text_addf(&path, "%s/%s", base_dir(), e->d_name);
		if (is_dead(path.ptr, e->d_name) && remove_tree(path.ptr))
			removed++;
		text_fini(&path);
	}
	if (d)
		closedir(d);
	return removed;
}
