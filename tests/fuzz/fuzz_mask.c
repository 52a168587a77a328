/* Any bytes as a stranger's text: read and masked within bounds, what fits and what is cut; what is
 * tidied has nothing that is not shown. */
#include "fuzz.h"
#include "obs/mask.h"

/* Three stars for a byte, at the most. */
#define GROWS 3

static void mask_into(struct slice in, size_t cap)
{
	char *block = fuzz_prefix(in, in.len), *out = mem_alloc(cap);
	struct wire w;

	wire_init(&w, out, cap);
	mask_text(&w, (struct slice){ block, in.len });
	CHECK(w.len <= cap);
	CHECK(!w.over || cap < (1 + GROWS) * in.len);
	mem_free(out);
	mem_free(block);
}

static void check_tidy(struct slice in)
{
	char out[64];

	text_tidy(in, out, sizeof(out));
	struct slice rest = slice_of(out);
	while (rest.len) {
		size_t n = text_shown_len(rest);
		CHECK(n > 0);
		rest = slice_cut(rest, n, SIZE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice in = { (const char *)data, size };

	mask_into(in, (1 + GROWS) * size + 1);
	mask_into(in, 1 + fuzz_hash(in) % (size + 1));
	check_tidy(in);
	return 0;
}
