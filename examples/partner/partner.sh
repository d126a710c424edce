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

# --retry follows retry-after, up to a minute: who is asked to wait longer has used up the quota of
# the day. 429 and 503 are worth it, and the requestId makes it harmless.
call() { # PATH, more options of curl
  curl --silent --show-error --cacert "$AUTHORITY" --header "x-api-key: $KEY" \
    --header 'accept-language: en' --retry 5 --retry-max-time 60 --retry-connrefused \
    "$GATEWAY$1" "${@:2}"
}
# guide: end

# guide: one
enroll() { # PEOPLE.ndjson
  jq -c '{requestId, application}' "$1" | while IFS= read -r request; do
    # INVALID_ARGUMENT (3) and FAILED_PRECONDITION (9) refuse one record; the next may be fine.
    call /v1/enrollments --header 'content-type: application/json' --data-binary "$request" |
      jq -r 'if .enrollment then .enrollment.name
        elif .code == 3 or .code == 9 then "refused: \(.message)"
        else "\(.message)\n" | halt_error(1) end'
  done
}
# guide: end

# guide: stream
stream() { # PEOPLE.ndjson
  call /yijia.members.v1.MembersService/EnrollMembers --no-buffer \
    --header 'content-type: application/x-ndjson' --data-binary "@$1" |
    jq -r 'if .result then .result |
        if .error then "row \(.row): \(.error.reason): \(.error.message)"
        else "row \(.row): \(.enrollment.name)" end
      else .error // . | "\(.message)\n" | halt_error(1) end'
}
# guide: end

# guide: follow
follow() { # [CURSOR]
  call /yijia.members.v1.MembersService/WatchMemberEvents --no-buffer \
    --header 'content-type: application/json' \
    --data-binary "$(jq -nc --arg cursor "${1:-}" '{$cursor, stopAtEnd: true}')" |
    jq -r 'if .result then .result |
        "\(.enrollmentChanged.enrollment) \(.enrollmentChanged.state) \(.cursor)"
      else .error // . | "\(.message)\n" | halt_error(1) end'
}
# guide: end

case $command in
  enroll | stream | follow) "$command" "${@:3}" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
