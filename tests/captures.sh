#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What tshark counts in captures, for docs/captures.md: calls (Call-IDs with an INVITE), dialogs (Call-IDs and pairs
# of tags that a 2xx to an INVITE made), streams of RTP that SIP set up, and their packets.
set -euo pipefail

fields_of() { # CAPTURE FILTER FIELD...
    local capture=$1 filter=$2
    shift 2
    tshark -r "$capture" -Y "$filter" -T fields "${@/#/-e}" 2>/dev/null | sed '/^[[:space:]]*$/d'
}

calls_and_dialogs() { # CAPTURE [HOST]
    local capture=$1 of_host=${2:+" && ip.addr == $2"} calls dialogs
    calls=$(fields_of "$capture" "sip.Method == \"INVITE\"$of_host" sip.Call-ID | sort -u | wc -l)
    # A request of the callee's has the tags the other way round.
    dialogs=$(fields_of "$capture" \
        "sip.CSeq.method == \"INVITE\" && sip.Status-Code >= 200 && sip.Status-Code < 300$of_host" \
        sip.Call-ID sip.from.tag sip.to.tag |
        awk -F '\t' '{ print $1, ($2 < $3 ? $2 " " $3 : $3 " " $2) }' | sort -u | wc -l)
    printf '%5d %5d' "$calls" "$dialogs"
}

streams_and_packets() { # CAPTURE
    tshark -r "$1" -q -z rtp,streams 2>/dev/null | awk '
        / 0x[0-9A-F]+ / {
            streams++
            for (i = 1; i <= NF; i++) { if ($i ~ /%\)$/) { packets += $(i - 2) } } # ahead of "lost (share)"
        }
        END { printf "%5d %6d", streams, packets }'
}

if [ $# -eq 1 ] && [ -d "$1" ]; then
    cd "$1"
    echo 'calls, dialogs, streams, packets'
    find . \( -name '*.pcap' -o -name '*.pcapng' -o -name '*.cap' -o -name '*.erf' \) -printf '%P\n' | sort |
        while read -r capture; do
            [ -z "$(fields_of "$capture" sip frame.number)" ] ||
                echo "$(calls_and_dialogs "$capture") $(streams_and_packets "$capture")  $capture"
        done
elif [ $# -ge 2 ]; then
    for host in "${@:2}"; do
        echo "$(calls_and_dialogs "$1" "$host")  $host"
    done
else
    echo "usage: tests/captures.sh FOLDER           all captures in it that hold SIP
       tests/captures.sh CAPTURE HOST...  the calls and dialogs of each hop, by one of its hosts" >&2
    exit 2
fi
