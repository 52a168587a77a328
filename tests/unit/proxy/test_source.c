/* For how long weir takes closed local ports to be taken, by what the kernel says. */
#include "io/diag.h"
#include "proxy/source.h"
#include "tests/unit/base/unit.h"

static void assert_linger(enum diag_reuse reuse, uint32_t after_ms, ns_t far, ns_t near)
{
	struct diag_ports *host = mem_zalloc(sizeof(*host));
	struct ports_cfg cfg = { .range = 1 };
	host->reuse = reuse;
	host->reuse_after_ms = after_ms;
	ports_linger_as(&cfg, host);
	assert_int_equal(cfg.linger_for, far);
	assert_int_equal(cfg.linger_near_for, near);
	mem_free(host);
}

static void test_as_long_as_the_kernel_keeps_them(void **state)
{
	(void)state;
	assert_linger(DIAG_REUSE_NONE, 1000, PORTS_LINGER_FOR, PORTS_LINGER_FOR);
	assert_linger(DIAG_REUSE_LOOPBACK, 1000, PORTS_LINGER_FOR, NS_S);
	assert_linger(DIAG_REUSE_ALL, 1000, NS_S, NS_S);
	assert_linger(DIAG_REUSE_ALL, 5000, 5 * NS_S, 5 * NS_S);
	assert_linger(DIAG_REUSE_LOOPBACK, 5000, PORTS_LINGER_FOR, 5 * NS_S);
	assert_linger(DIAG_REUSE_ALL, 0, 0, 0);
	assert_linger(DIAG_REUSE_ALL, UINT32_MAX, PORTS_LINGER_FOR, PORTS_LINGER_FOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_as_long_as_the_kernel_keeps_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
