#!/bin/sh
# drill.sh SCRATCH [CC] - see README.md. Prints "N passed, N failed"; the exit code says which.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
scratch=$1
cc=${2:-cc}
rm -rf "$scratch"
mkdir -p "$scratch/tests"
cp -R "$root/core" "$scratch/core"
cp -R "$root/tests/unit" "$scratch/tests/unit"
cp -R "$root/tests/drill" "$scratch/tests/drill"
cp "$here/toy_type.c" "$scratch/core/quant/toy.c"
cp "$here/toy_arch.c" "$scratch/core/arch/toy.c"
cp "$here/toy_kernels.c" "$scratch/core/kernels/toy.c"
echo 'EN_TYPE(toy)' >> "$scratch/core/quant/quant.def"
echo 'EN_ARCH(toy)' >> "$scratch/core/arch/arch.def"
echo 'EN_TABLE(toy)' >> "$scratch/core/kernels/tables.def"
cd "$scratch"
# The plain-C part of the core is enough: -DEN_PORTABLE leaves the machine's own tables out of tables.def.
files=$(find core -name '*.c' | grep -v -E '/(avx2|avx512|neon|simd128|relaxed)/')
# shellcheck disable=SC2086
$cc -std=c11 -O1 -ffp-contract=off -Wall -Wextra -Werror -DEN_PORTABLE -Icore/quant -Icore/arch -Icore/kernels $files tests/drill/drill_main.c -lm -o drill
./drill
