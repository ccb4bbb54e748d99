
A walk, to copy and paste into another terminal:

  # Sign in as a teacher: user name, password, PIN and the one-time code of the security token
  signin() { curl -s {url}/v1/sessions -H 'Content-Type: application/json' \
    -d "{\"userName\":\"$1\",\"password\":\"$2\",\"pin\":\"$3\",\"oneTimeCode\":\"$({code} $1)\"}" \
    | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'; }
  api() { curl -s -H "Authorization: Bearer $TOKEN" -H 'Access-Reason: direct-service' -H 'Content-Type: application/json' "$@"; echo; }
  TOKEN=$(signin teacher {teacher})

  # Find the one right child
  api {url}/v1/children/search -d '{search}'

  # Misspelt she is not found; the same search with "fuzzy" finds who is nearly so, and says in words what differs
  WRONG=$(echo '{search}' | sed 's/"family":"[^"]*/&e/')
  SEARCH=$(api {url}/v1/children/search -d "$WRONG" | sed 's/.*"searchId":"\([^"]*\)".*/\1/')
  api {url}/v1/children/search -d "${WRONG%\}},\"fuzzy\":true,\"searchId\":\"$SEARCH\"}"

  # Open the record: who is working with her, and how to reach them
  RECORD=$(api {url}/v1/children/{child}); echo "$RECORD"

  # Set a flag on the school's own involvement, whose version stands in the record
  VERSION=${RECORD#*{involvement}}; VERSION=${VERSION#*'"version":'}; VERSION=${VERSION%%[,\}]*}
  api -X PUT {url}/v1/involvements/{involvement}/flags/informationToShare -H "If-Match: \"$VERSION\"" -d '{}'

  # See it as the child's doctor
  TOKEN=$(signin doctor {doctor})
  api {url}/v1/children/{child}/flags

A second walk, in the same terminal, past what is hidden and what has ended:

  # To a police officer a shielded child has names, but neither whereabouts nor services
  TOKEN=$(signin police.officer {police.officer})
  api {url}/v1/children/{shielded}

  # A sensitive service works with this child: it is not there. To be put in touch can be asked for about every child
  api {url}/v1/children/{sensitive}/involvements
  api {url}/v1/children/{sensitive}/contact-requests -H "Idempotency-Key: walk-$(date +%s)" \
    -d '{"contact":{"practitioner":"Pat Demo","officeHours":"01632 960002"}}'

  # An archived record is not found
  api {url}/v1/children/{archived}

  # The nurse's own service is there for the nurse
  TOKEN=$(signin nurse {nurse})
  api {url}/v1/involvements/{clinic}

  # A social worker looks past the shield, for 15 minutes; somebody will look into why
  TOKEN=$(signin social.worker {social.worker})
  api {url}/v1/children/{shielded}/override-grants -H "Idempotency-Key: walk-$(date +%s)" -H 'Access-Reference: DEMO/1' \
    -d '{"warningAcknowledged":true,"ground":"missingChild"}'
  api {url}/v1/children/{shielded}

  # For the first year a steward opens the archived record
  TOKEN=$(signin steward {steward})
  api {url}/v1/archive/openings -d '{"indexNumber":"{archived}"}'
