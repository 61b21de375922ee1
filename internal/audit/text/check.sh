#!/bin/sh
# Checks this audit bundle: the list of hashes by b3sum, and all of it by
# verify.py, which says how it is called. Needs b3sum, python3 and openssl.
#
#   sh check.sh [--since OLD] [--key PUB]...
#
# Exit status: 0 all of it holds, 1 something does not, 2 it could not be checked.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
(cd -- "$here" && b3sum --check --quiet B3SUMS) && listed=yes || listed=no
python3 -IS "$here/verify.py" "$here" "$@" || exit
[ $listed = yes ] || { echo "check.sh: b3sum does not agree with verify.py" >&2; exit 2; }
