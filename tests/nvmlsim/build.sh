#!/bin/sh
# usage: build.sh DIR [CFLAGS…]    compiles the simulated libnvidia-ml.so.1 and the dummy load into DIR.
# -DNVMLSIM_OLD and -DNVMLSIM_535 leave out what driver 470 and 535.54 do not have; -O2 is for measuring with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
mkdir -p "$dir"
cc -O1 -Wall -Wextra -Werror=implicit -shared -fPIC -fvisibility=hidden -Wl,-soname,libnvidia-ml.so.1 "$@" -o "$dir/libnvidia-ml.so.1" "$here"/src/*.c -lm -lpthread
cc -O2 -Wall -Wextra -o "$dir/dummyload" "$here/dummyload.c"
