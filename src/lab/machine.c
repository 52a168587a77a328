#include "lab/machine.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/ascii.h"
#include "io/child.h"
#include "lab/fetch.h"

#define ANSWER_FOR (5 * NS_S)
#define LINES_BYTES_MAX 65536

void lab_machine_init(struct lab_machine *m, const char *namespaces)
{
	*m = (struct lab_machine){ .namespaces = namespaces };
}

void lab_machine_fini(struct lab_machine *m)
{
	args_fini(&m->notes);
	args_fini(&m->programs);
}

static bool has(const struct args *a, const char *word)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (!strcmp(a->v[i], word))
			return true;
	}
	return false;
}

void lab_machine_note(struct lab_machine *m, const char *note)
{
	if (!has(&m->notes, note))
		args_add(&m->notes, note);
}

void lab_machine_program(
	struct lab_machine *m, const char *dir, const char *name, const char *const *argv)
{
	struct child c;
	struct text path, said;
	text_init(&path);
	text_init(&said);
	text_addf(&path, "%s/version", dir);
	int fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct child_cfg cfg = { .argv = argv, .out_fd = fd, .err_fd = fd };
	if (!has(&m->programs, name) && fd >= 0 && child_start(&c, &cfg, NULL)) {
		if (!child_wait(&c, ANSWER_FOR))
			child_kill(&c);
		if (lab_read_file(path.ptr, LINES_BYTES_MAX, &said) && said.len) {
			args_add(&m->programs, name);
			args_addf(&m->programs, "%.*s", (int)strcspn(said.ptr, "\n"),
				said.ptr);
		}
	}
	if (fd >= 0)
		close(fd);
	text_fini(&path);
	text_fini(&said);
}

/* The rest of the first line of a file that begins with `key`, without = : and quotes. */
static bool find_line(const char *file, const char *key, struct text *out)
{
	struct text t;
	bool found = false;
	text_init(&t);
	if (lab_read_file(file, LINES_BYTES_MAX, &t) && t.len) {
		char *at = strstr(t.ptr, key);
		for (at = at ? at + strlen(key) : NULL;
			at && *at && strchr("=:\" \t", *at);)
			at++;
		found = at != NULL;
		if (found)
			text_add_slice(out, (struct slice){ at, strcspn(at, "\"\n") });
	}
	text_fini(&t);
	return found;
}

static void line_json(struct json *j, const char *name, const char *file, const char *key)
{
	struct text t;
	text_init(&t);
	json_cstr(j, name, find_line(file, key, &t) ? t.ptr : NULL);
	text_fini(&t);
}

static bool is_number(const char *s)
{
	while (ascii_is_digit(*s))
		s++;
	return *s == '\0';
}

static void sysctls_json(struct json *j)
{
	static const char *const names[] = { "net.ipv4.ip_local_port_range",
		"net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_congestion_control",
		"net.core.somaxconn" };
	json_object(j, "sysctls");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[96];
		struct text t;
		int len = snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		for (int k = 0; k < len; k++)
			path[k] = path[k] == '.' ? '/' : path[k];
		text_init(&t);
		if (lab_read_file(path, LINES_BYTES_MAX, &t) && t.len > 1) {
			t.ptr[t.len - 1] = '\0';
			for (char *tab = t.ptr; (tab = strchr(tab, '\t'));)
				*tab = ' ';
			if (is_number(t.ptr))
				json_int(j, names[i], strtoll(t.ptr, NULL, 10));
			else
				json_cstr(j, names[i], t.ptr);
		}
		text_fini(&t);
	}
	json_end(j);
}

void lab_machine_json(struct json *j, const char *key, const struct lab_machine *m)
{
	struct utsname un = { 0 };
	(void)uname(&un);
	json_object(j, key);
	json_cstr(j, "kernel", un.release);
	line_json(j, "system", "/etc/os-release", "PRETTY_NAME");
	line_json(j, "cpu", "/proc/cpuinfo", "model name");
	json_int(j, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_int(j, "memory_bytes",
		(int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
	json_cstr(j, "namespaces", m->namespaces);
	sysctls_json(j);
	json_object(j, "programs");
	for (uint32_t i = 0; i + 1 < m->programs.n; i += 2)
		json_cstr(j, m->programs.v[i], m->programs.v[i + 1]);
	json_end(j);
	json_array(j, "notes");
	for (uint32_t i = 0; i < m->notes.n; i++)
		json_cstr(j, NULL, m->notes.v[i]);
	json_end(j);
	json_end(j);
}
