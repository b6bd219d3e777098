#!/usr/bin/env bash
# Says which library the installed libsrtp2 takes its ciphers from: Debian builds it with NSS, others with OpenSSL.
set -euo pipefail

libsrtp=$(ldconfig -p | sed -n 's/.*libsrtp2\.so\.1 .*=> //p' | head -n 1)
case "$(ldd "${libsrtp:-/nonexistent}" 2>/dev/null)" in
    *libnss3*) echo "NSS, as Debian builds it" ;;
    *libcrypto*) echo "OpenSSL" ;;
    *) echo "itself or an unknown library" ;;
esac
