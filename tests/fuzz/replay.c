/* Runs every file of the given folders through a fuzz target: replay FOLDER... */
#include <dirent.h>

#include "base/text.h"
#include "fuzz.h"

static char *read_file(const char *path, size_t *size)
{
	char buf[4096];
	size_t n;
	struct text t = { 0 };
	FILE *f = fopen(path, "rb");
	if (!f) {
		fprintf(stderr, "%s: cannot open\n", path);
		exit(1);
	}
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		text_add_slice(&t, (struct slice){ buf, n });
	fclose(f);
	*size = t.len;
	char *exact = fuzz_prefix(text_slice(&t), t.len);
	text_fini(&t);
	return exact;
}

static int replay(const char *folder)
{
	int count = 0;
	DIR *d = opendir(folder);
	if (!d) {
		fprintf(stderr, "%s: cannot open\n", folder);
		exit(1);
	}
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];
		size_t size;
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		/* Told before, so that a crash names its input. */
		fprintf(stderr, "%s\n", e->d_name);
		char *data = read_file(path, &size);
		LLVMFuzzerTestOneInput((const uint8_t *)data, size);
		mem_free(data);
		count++;
	}
	closedir(d);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%d inputs\n", count);
	return count > 0 ? 0 : 1;
}
