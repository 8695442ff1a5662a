#!/bin/sh
# build.sh [TARGET...] - builds the fuzz targets as OSS-Fuzz wants it: into $OUT, with $CC, $CFLAGS, $LIB_FUZZING_ENGINE.
# Without those: clang, libFuzzer, AddressSanitizer and UBSan, into ./fuzz-out. The build itself is in $WORK.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
: "${OUT:=$PWD/fuzz-out}" "${CC:=clang}" "${LIB_FUZZING_ENGINE:=-fsanitize=fuzzer}"
: "${CFLAGS=-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fsanitize=fuzzer-no-link}"
work=${WORK:-${TMPDIR:-/tmp}}/postern-fuzz-build
case $LIB_FUZZING_ENGINE in *.a) LIB_FUZZING_ENGINE="$LIB_FUZZING_ENGINE -lc++" ;; esac # an engine in C++, linked as C
again=
[ ! -e "$work/build.ninja" ] || again=--reconfigure
mkdir -p "$OUT"

# The sanitizer is chosen by $CFLAGS, so meson is told of none.
export CC CFLAGS
export LDFLAGS="${LDFLAGS:-} $CFLAGS"
meson setup $again --buildtype=plain -Dfuzz=true -Dfuzz_engine="$LIB_FUZZING_ENGINE" -Dtests=false -Db_lundef=false -Dwerror=false "$work" "$top"

cd "$top/tests/fuzz"
[ $# -gt 0 ] || set -- $(ls *.c | sed 's/\.c$//')
ninja -C "$work" $(printf 'tests/fuzz/fuzz_%s\n' "$@")

for name; do
	cp "$work/tests/fuzz/fuzz_$name" "$OUT/$name"
	rm -f "$OUT/${name}_seed_corpus.zip"
	python3 -m zipfile -c "$OUT/${name}_seed_corpus.zip" "seed/$name/"
	for dict in "$name.dict" "${name%%_*}.dict"; do
		[ -e "$dict" ] && cp "$dict" "$OUT/$name.dict" && break
	done
	[ ! -e "$name.options" ] || cp "$name.options" "$OUT/$name.options"
done
