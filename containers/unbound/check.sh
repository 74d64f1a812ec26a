#!/bin/bash
# Health of the unbound beside it: asks it, over TCP, for the address of localhost, which it knows without anybody's help.
# Exit code 0 when it answers without an error.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${UNBOUND_PORT:-5335}"
# RFC 1035 §4.1, §4.2.2: length, id 1, recursion desired, one question, localhost, type A, class IN.
printf '\0\033\0\001\001\0\0\001\0\0\0\0\0\0\011localhost\0\0\001\0\001' >&3
# The answer's id, and in its second octet of flags the code of the error.
answer=$(head --bytes=6 <&3 | od --address-radix=n --format=x1 | tr --delete ' \n')
[[ $answer == ????0001??[08]0 ]]
