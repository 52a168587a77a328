#include "samples.h"

#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>

static void read_file(const char *dir, const char *name, struct text *out)
{
	char path[512], buf[4096];
	size_t n;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fprintf(stderr, "%s: cannot open\n", path);
	CHECK(f);
	text_init(out);
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		text_add_slice(out, (struct slice){ buf, n });
	CHECK(fclose(f) == 0);
}

static size_t count_files(const char *dir)
{
	size_t n = 0;
	DIR *d = opendir(dir);
	CHECK(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strstr(e->d_name, ".http"))
			n++;
	closedir(d);
	return n;
}

/* Cuts the next word off *rest. */
static char *word(char **rest)
{
	char *w = *rest + strspn(*rest, " ");
	size_t len = strcspn(w, " ");
	*rest = w[len] ? w + len + 1 : w + len;
	w[len] = '\0';
	return w;
}

void samples_load(struct samples *s, const char *corpus, const char *kind)
{
	char dir[400];
	struct text index;
	*s = (struct samples){ 0 };
	snprintf(dir, sizeof dir, "%s/%s", corpus, kind);
	read_file(dir, "INDEX", &index);
	for (char *next = index.ptr, *line; *next;) {
		line = next;
		size_t len = strcspn(line, "\n");
		next = line[len] ? line + len + 1 : line + len;
		line[len] = '\0';
		if (*line == '#' || *line == '\0')
			continue;
		s->v = mem_realloc(s->v, (s->count + 1) * sizeof *s->v);
		struct sample *one = &s->v[s->count++];
		one->name = mem_strdup(word(&line));
		one->verdict = mem_strdup(word(&line));
		one->line = mem_strdup(line);
		read_file(dir, one->name, &one->bytes);
	}
	text_fini(&index);
	CHECK(s->count == count_files(dir));
}

void samples_fini(struct samples *s)
{
	for (size_t i = 0; i < s->count; i++) {
		mem_free(s->v[i].name);
		mem_free(s->v[i].verdict);
		mem_free(s->v[i].line);
		text_fini(&s->v[i].bytes);
	}
	mem_free(s->v);
}

bool sample_key(const struct sample *s, const char *key, struct text *value)
{
	const size_t len = strlen(key);
	const char *p = s->line;
	text_reset(value);
	for (;; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (*p == '\0')
			return false;
		if (strncmp(p, key, len) == 0 && p[len] == '=')
			break;
	}
	text_add(value, "");
	for (p += len + 1; *p && *p != ' '; p++) {
		if (p[0] == '\\' && p[1] == 'x') {
			char hex[3] = { p[2], p[3], '\0' };
			text_add_char(value, (char)strtoul(hex, NULL, 16));
			p += 3;
		} else {
			text_add_char(value, *p);
		}
	}
	return true;
}

uint64_t sample_number(const struct sample *s, const char *key, uint64_t if_absent)
{
	struct text value = { 0 };
	uint64_t n = sample_key(s, key, &value) ? strtoull(value.ptr, NULL, 10)
						: if_absent;
	text_fini(&value);
	return n;
}

uint32_t sample_limit(const struct sample *s, const char *which)
{
	struct text value = { 0 };
	uint32_t n = 0;
	if (sample_key(s, "limits", &value)) {
		const char *at = strstr(value.ptr, which);
		if (at)
			n = (uint32_t)strtoul(at + strlen(which) + 1, NULL, 10);
	}
	text_fini(&value);
	return n;
}

void guard_init(struct guard *g, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	g->bytes = (bytes + page) / page * page;
	g->pages = mmap(NULL, g->bytes + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(g->pages != MAP_FAILED);
	CHECK(mprotect(g->pages + g->bytes, page, PROT_NONE) == 0);
}

void guard_fini(struct guard *g)
{
	CHECK(munmap(g->pages, g->bytes + (size_t)sysconf(_SC_PAGESIZE)) == 0);
}

struct slice guard_put(struct guard *g, struct slice bytes)
{
	CHECK(bytes.len <= g->bytes);
	char *at = g->pages + g->bytes - bytes.len;
	if (bytes.len)
		memmove(at, bytes.ptr, bytes.len);
	return (struct slice){ at, bytes.len };
}
