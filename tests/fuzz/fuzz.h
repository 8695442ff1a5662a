/* fuzz.h - what libFuzzer calls in a target, and how a target says that something does not hold. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
/* Once, before the first input; a target need not have it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the process by abort() when it does not hold; libFuzzer keeps the input. */
#define MUST(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                                     \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
