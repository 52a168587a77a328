#include "watch/runtime.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

enum { NAMES_MAX = 64 * 1024 /* of sections; a Go program's are some 300 bytes */ };

static const char *const names[RUNTIME_COUNT] = {
#define X(id, name, title) [RUNTIME_##id] = name,
	RUNTIMES(X)
#undef X
};

static const char *const titles[RUNTIME_COUNT] = {
#define X(id, name, title) [RUNTIME_##id] = title,
	RUNTIMES(X)
#undef X
};

const char *runtime_name(enum runtime r)
{
	CHECK(r < RUNTIME_COUNT);
	return names[r];
}

const char *runtime_title(enum runtime r)
{
	CHECK(r < RUNTIME_COUNT);
	return titles[r];
}

/* "python3.11" is python, "nodelay" is not node: what follows is a version. */
static bool is_version_of(const char *name, const char *program)
{
	size_t len = strlen(program);

	return strncmp(name, program, len) == 0 &&
	       name[len + strspn(name + len, "0123456789.-")] == '\0';
}

enum runtime runtime_of_name(const char *name)
{
	static const struct {
		const char *program;
		enum runtime runtime;
	} others[] = { { "nodejs", RUNTIME_NODE }, { "pypy", RUNTIME_PYTHON },
		{ "php-fpm", RUNTIME_PHP } };

	for (int r = RUNTIME_UNKNOWN + 1; r < RUNTIME_COUNT; r++) {
		if (r != RUNTIME_GO && is_version_of(name, names[r]))
			return (enum runtime)r;
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (is_version_of(name, others[i].program))
			return others[i].runtime;
	}
	return RUNTIME_UNKNOWN;
}

static bool read_at(int fd, void *to, size_t len, uint64_t from)
{
	return pread(fd, to, len, (off_t)from) == (ssize_t)len;
}

/* Go's linker leaves a section of this name in each program, stripped ones too. */
static bool has_go_section(int fd)
{
	static const char mark[] = ".go.buildinfo";
	Elf64_Ehdr head;
	Elf64_Shdr section;
	char *text;
	bool found;

	if (!read_at(fd, &head, sizeof(head), 0) ||
		memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
		head.e_ident[EI_CLASS] != ELFCLASS64 ||
		head.e_shentsize != sizeof(section))
		return false;
	if (!read_at(fd, &section, sizeof(section),
		    head.e_shoff + (uint64_t)head.e_shstrndx * sizeof(section)) ||
		section.sh_size == 0 || section.sh_size > NAMES_MAX)
		return false;
	text = mem_alloc(section.sh_size);
	found = read_at(fd, text, section.sh_size, section.sh_offset) &&
		memmem(text, section.sh_size, mark, sizeof(mark));
	mem_free(text);
	return found;
}

/* An upgrade takes the file away from under the program: /proc says so behind its name. */
static enum runtime of_link(char *exe)
{
	static const char gone[] = " (deleted)";
	size_t len = strlen(exe);
	const char *base;

	if (len >= sizeof(gone) && !strcmp(exe + len - (sizeof(gone) - 1), gone))
		exe[len - (sizeof(gone) - 1)] = '\0';
	base = strrchr(exe, '/');
	return runtime_of_name(base ? base + 1 : exe);
}

enum runtime runtime_of(int32_t pid, const char *comm)
{
	enum runtime r = RUNTIME_UNKNOWN;
	char path[64], exe[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		r = of_link(exe);
	}
	if (r != RUNTIME_UNKNOWN)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (has_go_section(fd))
			r = RUNTIME_GO;
		close(fd);
	}
	return r != RUNTIME_UNKNOWN ? r : runtime_of_name(comm);
}
