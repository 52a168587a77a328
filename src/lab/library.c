#include "lab/library.h"

#include <errno.h>

#include "base/conf.h"
#include "lab/embed.h"
#include "lab/fetch.h"

const char *library_name(size_t i)
{
	return lab_embed_scenarios[i].name;
}

static bool ends_with(const char *word, const char *end)
{
	size_t len = strlen(word), tail = strlen(end);
	return len > tail && !strcmp(word + len - tail, end);
}

static bool is_path(const char *word)
{
	return strchr(word, '/') || ends_with(word, ".yaml") || ends_with(word, ".yml");
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = mem_strdup(slash ? slash + 1 : path);
	char *dot = strrchr(name, '.');
	if (dot && dot != name)
		*dot = '\0';
	return name;
}

static bool load_file(struct library_item *item, const char *path, struct problem *p)
{
	struct text t;
	text_init(&t);
	/* One byte more than is taken: the reader will say that it is too large. */
	if (!lab_read_file(path, CONF_BYTES_MAX + 1, &t)) {
		text_fini(&t);
		return problem_set(p, "%s: %s", path, strerror(errno));
	}
	text_add(&t, "");
	item->name = name_of(path);
	item->text = text_take(&t);
	item->source = (struct lab_source){ item->name, path, item->text };
	return true;
}

bool library_find(struct library_item *item, const char *word, struct problem *p)
{
	const char *names[LIBRARY_NAMES_MAX];
	size_t n = 0;
	*item = (struct library_item){ .name = NULL };
	if (is_path(word))
		return load_file(item, word, p);
	for (; lab_embed_scenarios[n].name && n < LIBRARY_NAMES_MAX; n++) {
		names[n] = lab_embed_scenarios[n].name;
		if (strcmp(names[n], word) != 0)
			continue;
		item->source = (struct lab_source){ names[n], NULL,
			lab_embed_scenarios[n].text };
		return true;
	}
	const char *near = units_nearest(slice_of(word), names, n);
	return problem_set(p, "there is no scenario '%s'%s%s%s", word,
		near ? ": did you mean '" : "; see `weir lab list`, or write a path: ./",
		near ? near : word, near ? "'?" : ".yaml");
}

void library_item_fini(struct library_item *item)
{
	mem_free(item->name);
	mem_free(item->text);
	*item = (struct library_item){ .name = NULL };
}
