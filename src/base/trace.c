#include "base/trace.h"

#include <errno.h>

#include "base/units.h"

#define LINE_BYTES_MAX 256

static void add(struct trace *t, ns_t start)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 1024;
		t->starts = mem_realloc(t->starts, t->cap * sizeof(*t->starts));
	}
	t->starts[t->count++] = start;
}

static bool read_line(
	struct trace *t, struct slice line, ns_t last_max, struct problem *p)
{
	size_t end = strcspn(line.ptr, "#\r\n");
	struct slice s = slice_trim(slice_cut(line, 0, end));
	ns_t start;

	if (!s.len)
		return true;
	if (!units_duration(s, &start, p))
		return false;
	if (start > last_max)
		return problem_set(p, "later than a run may last");
	if (t->count && start < t->starts[t->count - 1])
		return problem_set(p, "earlier than the start in the line before");
	if (t->count == TRACE_STARTS_MAX)
		return problem_set(p, "more than %d starts", TRACE_STARTS_MAX);
	add(t, start);
	return true;
}

static bool read_lines(
	struct trace *t, FILE *in, const char *file, ns_t last_max, struct problem *p)
{
	char text[LINE_BYTES_MAX];
	struct problem why = { "" };

	for (uint64_t n = 1; fgets(text, sizeof(text), in); n++) {
		struct slice line = slice_of(text);
		bool whole = slice_find(line, '\n') < line.len || feof(in);
		if (!whole)
			problem_set(&why, "too long for a line with a duration");
		if (!whole || !read_line(t, line, last_max, &why))
			return problem_set(
				p, "%s:%llu: %s", file, (unsigned long long)n, why.text);
	}
	if (ferror(in))
		return problem_set(p, "%s: %s", file, strerror(errno));
	return t->count ||
	       problem_set(p, "%s: no start: write one duration a line, such as 16.8ms",
		       file);
}

bool trace_read(struct trace *t, const char *file, ns_t last_max, struct problem *p)
{
	FILE *in = fopen(file, "re");

	*t = (struct trace){ 0 };
	if (!in)
		return problem_set(p, "%s: %s", file, strerror(errno));
	bool good = read_lines(t, in, file, last_max, p);
	fclose(in);
	if (!good)
		trace_fini(t);
	return good;
}

void trace_fini(struct trace *t)
{
	mem_free(t->starts);
	*t = (struct trace){ 0 };
}

double trace_rate(const struct trace *t)
{
	return (double)t->count * (double)NS_S / (double)trace_run_for(t);
}
