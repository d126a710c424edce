#!/usr/bin/env bash
# A platform partner of Yijia, with curl and jq: docs/partners.md tells it step by step.
#
#   partner.sh CONNECTION enroll PEOPLE.ndjson   one after the other
#   partner.sh CONNECTION stream PEOPLE.ndjson   as one stream
#   partner.sh CONNECTION follow [CURSOR]        what became of them, to the newest
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
connection=$1 command=$2

# guide: connect
GATEWAY=https://$(jq -r .gateway "$connection")
KEY=$(jq -r .partner_api_key "$connection")
AUTHORITY=$(jq -r .ca_file "$connection")
ANSWER=$(mktemp)
trap 'rm -f "$ANSWER"' EXIT

# Leaves the response in the file $ANSWER, which nobody reads before it is whole.
request() { # PATH, more options of curl
  curl --silent --show-error --cacert "$AUTHORITY" --header "x-api-key: $KEY" \
    --header 'accept-language: en' "$GATEWAY$1" "${@:2}" >"$ANSWER"
}
# guide: end

# guide: errors
# Calls until there is an answer. The same requestId makes a repeated call harmless.
call() { # PATH, more options of curl
  local wait failure
  for wait in 1 2 4 8 16; do
    failure=0
    request "$@" || failure=$?
    case $failure in
      0) wait=$(pause "$wait") ;;
      7 | 16 | 18 | 28 | 35 | 52 | 55 | 56 | 92) ;; # no connection, or one that broke off
      *) return "$failure" ;;
    esac
    [ -n "$wait" ] || return 0
    sleep "$wait"
  done
  request "$@"
}

# Prints the seconds to wait: what the server asks for, else those given; nothing if a retry is no
# use. DEADLINE_EXCEEDED (4), ABORTED (10) and UNAVAILABLE (14) pass. RESOURCE_EXHAUSTED (8) does if
# a time is stated: else the message is too large. More than a minute is the quota of the day.
pause() { # SECONDS
  tail -n 1 "$ANSWER" | jq -r --argjson seconds "$1" '.error // . |
    ([.details[]? | .retryDelay // empty | rtrimstr("s") | tonumber] | first) as $asked |
    if [.code] | inside([4, 8, 10, 14]) | not then empty
    elif $asked then $asked | select(. <= 60)
    elif .code == 8 then empty else $seconds end'
}
# guide: end

# guide: one
enroll() { # PEOPLE.ndjson
  jq -c '{requestId, application}' "$1" | while IFS= read -r request; do
    call /v1/enrollments --max-time 20 --header 'content-type: application/json' \
      --data-binary "$request"
    # INVALID_ARGUMENT (3) and FAILED_PRECONDITION (9) refuse one record; the next may be fine.
    jq -r 'if .enrollment then .enrollment.name
      elif .code == 3 or .code == 9 then "refused: \(.message)"
      else "\(.message)\n" | halt_error(1) end' "$ANSWER"
  done
}
# guide: end

# guide: stream
# A stream that broke off is sent again as a whole: the same requestId gets the same answer.
stream() { # PEOPLE.ndjson
  call /yijia.members.v1.MembersService/EnrollMembers \
    --header 'content-type: application/x-ndjson' --data-binary "@$1"
  jq -r 'if .result then .result |
      if .error then "row \(.row): \(.error.reason): \(.error.message)"
      else "row \(.row): \(.enrollment.name)" end
    else .error // . | "\(.message)\n" | halt_error(1) end' "$ANSWER"
}
# guide: end

# guide: follow
follow() { # [CURSOR]
  call /yijia.members.v1.MembersService/WatchMemberEvents \
    --header 'content-type: application/json' \
    --data-binary "$(jq -nc --arg cursor "${1:-}" '{$cursor, stopAtEnd: true}')"
  jq -r 'if .result then .result |
      "\(.enrollmentChanged.enrollment) \(.enrollmentChanged.state) \(.cursor)"
    else .error // . | "\(.message)\n" | halt_error(1) end' "$ANSWER"
}
# guide: end

case $command in
  enroll | stream | follow) "$command" "${@:3}" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
