/* talk_main.c - main() of a runner whose peers live in this process. */
#include "talk.h"

#include <stdio.h>

struct tally {
	unsigned count[3]; /* by enum talk_result */
};

static void
run_one(const char *path, size_t split, void (*make)(struct talk_peer *), void (*end)(struct talk_peer *),
    struct tally *tally)
{
	struct talk_options options = { .split = split };
	struct talk_peer peer = { 0 };
	struct buf why;
	enum talk_result result;

	buf_init(&why, 1 << 16);
	make(&peer);
	result = talk_run(path, &peer, &options, &why);
	end(&peer);
	tally->count[result]++;
	if (result == TALK_FAIL)
		printf("%s%s\n", buf_cstr(&why), split > 0 ? " (byte by byte)" : "");
	buf_fini(&why);
}

int
talk_main(int argc, char **argv, void (*make)(struct talk_peer *peer), void (*end)(struct talk_peer *peer))
{
	struct tally tally = { 0 };

	for (int i = 1; i < argc; i++) {
		run_one(argv[i], 0, make, end, &tally);
		run_one(argv[i], 1, make, end, &tally);
	}
	printf("%u passed, %u failed, %u not run in pieces\n", tally.count[TALK_PASS], tally.count[TALK_FAIL],
	    tally.count[TALK_SKIPPED]);
	return tally.count[TALK_FAIL] == 0 && tally.count[TALK_PASS] > 0 ? 0 : 1;
}
