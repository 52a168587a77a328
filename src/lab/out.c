#include "lab/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/page.h"
#include "lab/result.h"

#define JSON_FILE "samples.json"
#define MARK_WITHIN_BYTES 4096

static const struct out_file {
	const char *name;
	const char *mark; /* stands near the beginning of each of ours */
	void (*make)(struct text *t, const struct json_doc *result); /* NULL: given */
} files[] = {
	{ JSON_FILE, "\"weir.lab/", NULL },
	{ "report.html", "<!-- weir lab -->", lab_page_html },
	{ "report.md", "<!-- weir lab -->", lab_page_markdown },
};

/* Absent, or begins as ours do. */
static bool may_replace(const char *dir, const struct out_file *of, struct problem *p)
{
	char head[MARK_WITHIN_BYTES + 1];
	char *path = text_format("%s/%s", dir, of->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd < 0 && errno == ENOENT;
	if (fd >= 0) {
		ssize_t got = read(fd, head, MARK_WITHIN_BYTES);
		head[got > 0 ? got : 0] = '\0';
		ok = strstr(head, of->mark) != NULL;
		close(fd);
	}
	if (!ok)
		problem_set(p,
			"%s is there and is not ours to replace: name another folder",
			path);
	mem_free(path);
	return ok;
}

static bool may_replace_all(const char *dir, bool given_too, struct problem *p)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if ((files[i].make || given_too) && !may_replace(dir, &files[i], p))
			return false;
	}
	return true;
}

bool lab_out_check(const char *dir, struct problem *p)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return problem_set(p, "cannot make %s: %s", dir, strerror(errno));
	if (access(dir, W_OK | X_OK))
		return problem_set(p, "cannot write in %s: %s", dir, strerror(errno));
	return may_replace_all(dir, true, p);
}

static bool write_whole(
	const char *dir, const char *name, const struct text *t, struct problem *p)
{
	char *path = text_format("%s/%s", dir, name);
	char *part = text_format("%s/.part", dir);
	FILE *f = fopen(part, "we");
	bool ok = f && fwrite(t->ptr, 1, t->len, f) == t->len;
	if (f && fclose(f))
		ok = false;
	ok = ok && rename(part, path) == 0;
	if (!ok)
		problem_set(p, "cannot write %s: %s", path, strerror(errno));
	mem_free(path);
	mem_free(part);
	return ok;
}

/* What is made of the result. */
static bool write_made(const char *dir, const struct json_doc *result, struct problem *p)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct text t;
		bool ok;
		if (!files[i].make)
			continue;
		text_init(&t);
		files[i].make(&t, result);
		ok = write_whole(dir, files[i].name, &t, p);
		text_fini(&t);
		if (!ok)
			return false;
	}
	return true;
}

bool lab_out_write(const char *dir, const struct text *json, struct problem *p)
{
	struct json_doc *doc = json_doc_parse(text_slice(json), p);
	bool ok = doc && write_whole(dir, JSON_FILE, json, p) && write_made(dir, doc, p);
	json_doc_free(&doc);
	return ok;
}

bool lab_out_again(const char *dir, struct problem *p)
{
	char *path = text_format("%s/" JSON_FILE, dir);
	struct json_doc *doc = json_doc_load(path, p);
	struct problem why = { "" };
	bool ok = doc != NULL;
	if (ok && !lab_result_check(doc, &why))
		ok = problem_set(p, "%s: %s", path, why.text);
	ok = ok && may_replace_all(dir, false, p) && write_made(dir, doc, p);
	json_doc_free(&doc);
	mem_free(path);
	return ok;
}
