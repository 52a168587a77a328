#include "exchange.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange_tally tally = { 0 };
	exchange_run((struct slice){ (const char *)data, size }, &tally);
	return 0;
}
